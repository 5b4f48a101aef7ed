// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_E2E_ECHO_PAIR_H_
#define GRPC_CXL_TEST_E2E_ECHO_PAIR_H_

#include <grpcpp/channel.h>
#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_interceptor.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "test/e2e/client_call.h"
#include "test/e2e/echo_service.h"
#include "test/e2e/transport.h"

namespace grpc_cxl::e2e {

struct ServerSettings {
  ServerApi api = ServerApi::kCallback;
  ServerOptions options = {};                                        // of an EchoPair's transport
  std::shared_ptr<grpc::ServerCredentials> security = nullptr;       // none
  std::shared_ptr<grpc::AuthMetadataProcessor> processor = nullptr;  // of the outer credentials
  std::function<void(grpc::ServerBuilder*)> configure = nullptr;
};

using Interceptors =
    std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>;

struct ChannelSettings {
  std::shared_ptr<grpc::ChannelCredentials> security = nullptr;  // none
  std::function<void(grpc::ChannelArguments*)> configure = nullptr;
  std::function<Interceptors()> interceptors = nullptr;
};

// Channels whose servers may call `server`.
ChannelSettings ServingBack(grpc::Server& server, const ServerOptions& options = {});

// Channels that do not share their connection with others, that take messages of any size.
ChannelSettings OwnConnection();
ChannelSettings AnySize();

std::shared_ptr<grpc::Channel> MakeChannel(const Transport& transport,
                                           const ChannelSettings& settings = {});

// Direct calls need a connection; the first call would make it, on the stream path. Dies
// without.
void Connect(grpc::Channel& channel);

// A running server of `service` at the transport's address; null when it cannot listen.
std::unique_ptr<grpc::Server> Serve(const Transport& transport,
                                    const std::function<void(grpc::ServerBuilder*)>& configure,
                                    const ServerSettings& settings = {});

// A running Echo server at the transport's address.
class EchoServer {
 public:
  // Null when the server cannot listen.
  static std::unique_ptr<EchoServer> Start(const Transport& transport,
                                           const ServerSettings& settings = {});
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;
  // Ends all calls that are still running.
  ~EchoServer();

  // As server().Shutdown(deadline), with the server's direct calls.
  void Shutdown(absl::Time deadline);

  ServiceControl& control() { return service_->control(); }
  grpc::Server& server() { return *server_; }

 private:
  EchoServer(std::unique_ptr<EchoService> service, std::unique_ptr<grpc::Server> server)
      : service_(std::move(service)), server_(std::move(server)) {}

  const std::unique_ptr<EchoService> service_;
  const std::unique_ptr<grpc::Server> server_;
};

// A transport, a server on it (until it is reset) and a channel to it.
struct EchoPair {
  explicit EchoPair(TransportKind kind, const ServerSettings& server_settings = {},
                    const ChannelSettings& channel_settings = {});

  ServiceControl& control() { return server->control(); }
  Outcome Run(const ClientCall& call) { return Perform(stub.get(), call); }

  const std::unique_ptr<Transport> transport;
  std::unique_ptr<EchoServer> server;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<Echo::Stub> stub;
};

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_ECHO_PAIR_H_
