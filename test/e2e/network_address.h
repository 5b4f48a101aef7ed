// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_E2E_NETWORK_ADDRESS_H_
#define GRPC_CXL_TEST_E2E_NETWORK_ADDRESS_H_

#include <grpcpp/create_channel.h>
#include <grpcpp/server_builder.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/server_credentials.h"
#include "test/e2e/echo.grpc.pb.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::e2e {

// What peer() begins with on a connection to a network address through memory.
inline constexpr char kMemory[] = "unix-abstract:cxl:///tcp=";

// A server that answers each call with the peer() that it sees, " for " and the authority, and
// " by " and its pid.
class AddressServer final : private Echo::Service {
 public:
  AddressServer(const std::string& address, std::shared_ptr<grpc::ServerCredentials> credentials,
                const std::string& other_address = "") {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, credentials, &port_);
    if (!other_address.empty()) builder.AddListeningPort(other_address, credentials);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    CHECK(server_ != nullptr) << address;
  }
  ~AddressServer() override { server_->Shutdown(std::chrono::system_clock::now()); }

  int port() const { return port_; }
  grpc::Server& server() { return *server_; }

 private:
  grpc::Status Unary(grpc::ServerContext* context, const EchoRequest*,
                     EchoResponse* response) override {
    response->set_payload(absl::StrCat(context->peer(), " for ",
                                       std::string(context->ExperimentalGetAuthority().data(),
                                                   context->ExperimentalGetAuthority().size()),
                                       " by ", getpid()));
    return grpc::Status::OK;
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// The answer of an AddressServer, or "error: ...".
inline std::string Call(const std::shared_ptr<grpc::Channel>& channel) {
  const auto stub = Echo::NewStub(channel);
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  EchoResponse response;
  const grpc::Status status = stub->Unary(&context, {}, &response);
  return status.ok() ? response.payload() : "error: " + status.error_message();
}

inline std::string At(const std::string& host, int port) { return absl::StrCat(host, ":", port); }

// A rendezvous directory, and servers and channels that use it.
class NetworkHost {
 public:
  NetworkHost() = default;
  explicit NetworkHost(const std::string& parent) : directory_(parent) {}

  const std::string& directory() const { return directory_.path(); }
  ServerOptions server_options() const {
    ServerOptions options;
    options.rendezvous_directory = directory_.path();
    return options;
  }
  ChannelOptions channel_options() const {
    ChannelOptions options;
    options.rendezvous_directory = directory_.path();
    return options;
  }
  std::shared_ptr<grpc::Channel> Channel(const std::string& target) const {
    return grpc::CreateChannel(target, ChannelCredentials(channel_options()));
  }
  std::string Call(const std::string& target) const { return e2e::Call(Channel(target)); }
  std::string Call(const std::string& target,
                   const std::shared_ptr<grpc::ChannelCredentials>& credentials) const {
    return e2e::Call(grpc::CreateChannel(target, credentials));
  }
  static std::string Call(const std::shared_ptr<grpc::Channel>& channel) {
    return e2e::Call(channel);
  }

 private:
  const internal::TemporaryDirectory directory_;
};

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_NETWORK_ADDRESS_H_
