// SPDX-License-Identifier: Apache-2.0
#include "test/e2e/echo_pair.h"

#include <grpc/impl/channel_arg_names.h>
#include <grpcpp/create_channel.h>

#include <chrono>

#include "absl/log/check.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/serve_back.h"

namespace grpc_cxl::e2e {

ChannelSettings ServingBack(grpc::Server& server, const ServerOptions& options) {
  return {.configure = [&server, options](grpc::ChannelArguments* arguments) {
    CHECK_OK(ServeBack(server, arguments, options));
  }};
}

ChannelSettings OwnConnection() {
  return {.configure = [](grpc::ChannelArguments* arguments) {
    arguments->SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  }};
}

ChannelSettings AnySize() {
  return {.configure = [](grpc::ChannelArguments* arguments) {
    arguments->SetMaxReceiveMessageSize(-1);
  }};
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

void Connect(grpc::Channel& channel) {
  CHECK(channel.WaitForConnected(std::chrono::system_clock::now() + std::chrono::minutes(1)));
}

std::unique_ptr<grpc::Server> Serve(const Transport& transport,
                                    const std::function<void(grpc::ServerBuilder*)>& configure,
                                    const ServerSettings& settings) {
  grpc::ServerBuilder builder;
  const auto credentials = transport.ServerCredentials(settings.security);
  if (settings.processor != nullptr) credentials->SetAuthMetadataProcessor(settings.processor);
  builder.AddListeningPort(transport.address(), credentials);
  configure(&builder);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server != nullptr) transport.Started(*server);
  return server;
}

std::unique_ptr<EchoServer> EchoServer::Start(const Transport& transport,
                                              const ServerSettings& settings) {
  std::unique_ptr<EchoService> service = EchoService::Make(settings.api);
  const auto configure = [&](grpc::ServerBuilder* builder) {
    service->Register(builder);
    if (settings.configure) settings.configure(builder);
  };
  std::unique_ptr<grpc::Server> server = Serve(transport, configure, settings);
  if (server == nullptr) return nullptr;
  service->Start();
  return std::unique_ptr<EchoServer>(new EchoServer(std::move(service), std::move(server)));
}

void EchoServer::Shutdown(absl::Time deadline) { grpc_cxl::Shutdown(*server_, deadline); }

EchoServer::~EchoServer() {
  server_->Shutdown(std::chrono::system_clock::now());
  service_->Stop();
}

EchoPair::EchoPair(TransportKind kind, const ServerSettings& server_settings,
                   const ChannelSettings& channel_settings)
    : transport(Transport::Make(kind, server_settings.options)),
      server(EchoServer::Start(*transport, server_settings)),
      channel(MakeChannel(*transport, channel_settings)),
      stub(Echo::NewStub(channel)) {
  CHECK(server != nullptr) << "no server on " << kind;
  if (IsDirect(kind) && server_settings.security == nullptr) Connect(*channel);
}

}  // namespace grpc_cxl::e2e
