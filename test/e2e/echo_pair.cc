#include "test/e2e/echo_pair.h"

#include <grpc/impl/channel_arg_names.h>
#include <grpcpp/create_channel.h>

#include <chrono>

#include "absl/log/check.h"
#include "grpc_cxl/direct_calls.h"

namespace grpc_cxl::e2e {

std::unique_ptr<EchoServer> EchoServer::Start(const Transport& transport,
                                              const ServerSettings& settings) {
  std::unique_ptr<EchoService> service = EchoService::Make(settings.api);
  grpc::ServerBuilder builder;
  const auto credentials = transport.ServerCredentials(settings.security);
  if (settings.processor != nullptr) credentials->SetAuthMetadataProcessor(settings.processor);
  builder.AddListeningPort(transport.address(), credentials);
  service->Register(&builder);
  if (settings.configure) settings.configure(&builder);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return nullptr;
  transport.Started(*server);
  service->Start();
  return std::unique_ptr<EchoServer>(new EchoServer(std::move(service), std::move(server)));
}

void EchoServer::Shutdown(absl::Time deadline) { grpc_cxl::Shutdown(*server_, deadline); }

EchoServer::~EchoServer() {
  server_->Shutdown(std::chrono::system_clock::now());
  service_->Stop();
}

std::shared_ptr<grpc::Channel> MakeChannel(const Transport& transport,
                                           const ChannelSettings& settings) {
  grpc::ChannelArguments arguments;
  // So that a proxy in the environment does not come between tcp and the loopback.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (settings.configure) settings.configure(&arguments);
  return grpc::experimental::CreateCustomChannelWithInterceptors(
      transport.address(), transport.ChannelCredentials(settings.security), arguments,
      settings.interceptors ? settings.interceptors() : Interceptors());
}

EchoPair::EchoPair(TransportKind kind, const ServerSettings& server_settings,
                   const ChannelSettings& channel_settings)
    : transport(Transport::Make(kind)),
      server(EchoServer::Start(*transport, server_settings)),
      channel(MakeChannel(*transport, channel_settings)),
      stub(Echo::NewStub(channel)) {
  CHECK(server != nullptr) << "no server on " << kind;
  if (kind == TransportKind::kCxlDirect && server_settings.security == nullptr) {
    // Direct calls need a connection; the first call would make it, on the stream path.
    CHECK(channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10)));
  }
}

}  // namespace grpc_cxl::e2e
