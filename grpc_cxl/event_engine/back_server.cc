// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/back_server.h"

#include <map>
#include <utility>

#include "absl/base/no_destructor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "grpc_cxl/coherence/memory_model.h"
#include "grpc_cxl/event_engine/acceptor.h"
#include "grpc_cxl/event_engine/cxl_address.h"
#include "grpc_cxl/event_engine/numbered.h"
#include "grpc_cxl/event_engine/socket_client_source.h"

namespace grpc_cxl::internal {
namespace {

// No other engine can listen there: /dev/null is no directory.
constexpr absl::string_view kScheme = "unix:", kAddress = "/dev/null/back=calls/";

struct Servers {
  absl::Mutex mu;
  std::map<const void*, int> numbers ABSL_GUARDED_BY(mu);
};

Servers& TheServers() {
  static absl::NoDestructor<Servers> servers;
  return *servers;
}

}  // namespace

ServiceName BackName() { return ServiceName::Reserved("back=calls"); }

std::shared_ptr<BackServer> BackServer::Make() {
  std::shared_ptr<BackServer> server(new BackServer);
  server->number_ = Numbered<BackServer>::Add(server);
  return server;
}

BackServer::~BackServer() {
  Numbered<BackServer>::Remove(number_);
  Stop();
}

std::string BackServer::address() const { return absl::StrCat(kScheme, kAddress, number_); }

bool BackServer::IsAddress(absl::string_view address) {
  return absl::StartsWith(address, absl::StrCat(kScheme, kAddress));
}

std::shared_ptr<BackServer> BackServer::AtAddress(const EventEngine::ResolvedAddress& address) {
  absl::string_view text = UnixPath(address);
  int number;
  if (!absl::ConsumePrefix(&text, kAddress) || !absl::SimpleAtoi(text, &number)) return nullptr;
  return Numbered<BackServer>::Find(number);
}

void BackServer::Built(const void* server) {
  {
    absl::MutexLock lock(mu_);
    server_ = server;
  }
  Servers& servers = TheServers();
  absl::MutexLock lock(servers.mu);
  std::erase_if(servers.numbers, [](const auto& entry) {
    return Numbered<BackServer>::Find(entry.second) == nullptr;
  });
  servers.numbers[server] = number_;
}

std::shared_ptr<BackServer> BackServer::Of(const void* server) {
  Servers& servers = TheServers();
  absl::MutexLock lock(servers.mu);
  const auto found = servers.numbers.find(server);
  return found == servers.numbers.end() ? nullptr : Numbered<BackServer>::Find(found->second);
}

void BackServer::Start(EndpointCallback on_endpoint, const ServerLimits& limits) {
  absl::MutexLock lock(mu_);
  on_endpoint_ = std::move(on_endpoint);
  limits_ = limits;
}

void BackServer::Stop() {
  EndpointCallback dropped;
  std::shared_ptr<Acceptor> acceptor;
  {
    absl::MutexLock lock(mu_);
    dropped = std::exchange(on_endpoint_, nullptr);
    acceptor = acceptor_;
  }
  if (acceptor != nullptr) acceptor->Stop();
}

absl::Status BackServer::Open(
    std::shared_ptr<EventEngine> executor, Watchdog* watchdog, const ServerSettings& settings,
    absl::FunctionRef<std::shared_ptr<CallHandler>(const ServerLimits& limits)> make_handler) {
  absl::MutexLock lock(mu_);
  if (!on_endpoint_) {
    return absl::FailedPreconditionError(
        "the server cannot be called back: it has shut down, or its event engine is not "
        "grpc_cxl::Engine() nor the default one");
  }
  if (acceptor_ != nullptr) {
    if (settings_ == settings) return absl::OkStatus();
    return absl::FailedPreconditionError(
        "the server is called back with other options: ServeBack() has been called for it before");
  }
  const absl::StatusOr<MemoryModel> memory =
      MakeMemoryModel(settings.coherence, settings.distance, settings.check_flushes);
  if (!memory.ok()) return memory.status();
  settings_ = settings;
  source_ =
      SocketClientSource::WithoutName(executor, watchdog->Assign(), BackName(), settings, *memory);
  acceptor_ = Acceptor::Of(std::move(executor), watchdog, source_, BackName(),
                           {.settings = settings,
                            .server = server_,
                            .plain = true,
                            .direct_calls = settings.direct_calls},
                           limits_);
  if (settings.direct_calls && limits_.excludes_direct_calls.empty()) {
    if (std::shared_ptr<CallHandler> handler = make_handler(limits_)) {
      acceptor_->EnableDirectCalls(std::move(handler));
    }
  }
  acceptor_->Start(on_endpoint_);
  return absl::OkStatus();
}

void BackServer::Adopt(UniqueFd line, const ClientHello& hello, KnownClient client) {
  std::shared_ptr<SocketClientSource> source;
  {
    absl::MutexLock lock(mu_);
    source = source_;
  }
  if (source != nullptr) source->Adopt(std::move(line), hello, client);
}

}  // namespace grpc_cxl::internal
