// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/listener.h"

#include <grpc/impl/channel_arg_names.h>

#include <climits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/direct/offer_answer.h"
#include "grpc_cxl/event_engine/acceptor.h"
#include "grpc_cxl/event_engine/acceptor_registry.h"
#include "grpc_cxl/event_engine/back_server.h"
#include "grpc_cxl/event_engine/cxl_address.h"
#include "grpc_cxl/event_engine/default_engine.h"
#include "grpc_cxl/event_engine/network_listener.h"
#include "grpc_cxl/event_engine/registered_address.h"
#include "grpc_cxl/event_engine/settings_registry.h"
#include "grpc_cxl/rendezvous/host_name.h"
#include "grpc_cxl/rendezvous/network_namespace.h"
#include "grpc_cxl/rendezvous/tcp_address.h"
#include "grpc_cxl/rendezvous/unix_file.h"

namespace grpc_cxl::internal {
namespace {

using grpc_event_engine::experimental::EndpointConfig;
using grpc_event_engine::experimental::EventEngine;
using grpc_event_engine::experimental::MemoryAllocator;
using grpc_event_engine::experimental::MemoryAllocatorFactory;

// gRPC's callbacks, shared by all their callers. The destructor runs `on_shutdown`: no caller is
// left.
class Sink {
 public:
  Sink(std::shared_ptr<EventEngine> executor, EventEngine::Listener::AcceptCallback on_accept,
       absl::AnyInvocable<void(absl::Status)> on_shutdown,
       std::unique_ptr<MemoryAllocatorFactory> allocators)
      : executor_(std::move(executor)),
        on_accept_(std::move(on_accept)),
        on_shutdown_(std::move(on_shutdown)),
        allocators_(std::move(allocators)) {}

  // On another thread: gRPC may hold locks when it drops the last reference.
  ~Sink() {
    if (!on_shutdown_) return;
    executor_->Run(
        [on_shutdown = std::move(on_shutdown_)]() mutable { on_shutdown(absl::OkStatus()); });
  }

  void Accept(std::unique_ptr<EventEngine::Endpoint> endpoint, MemoryAllocator allocator) {
    on_accept_(std::move(endpoint), std::move(allocator));
  }
  // Drops `on_shutdown`: the listener could not be made.
  void Cancel() { on_shutdown_ = nullptr; }
  MemoryAllocator NewAllocator(absl::string_view name) {
    return allocators_->CreateMemoryAllocator(name);
  }

 private:
  const std::shared_ptr<EventEngine> executor_;
  EventEngine::Listener::AcceptCallback on_accept_;
  absl::AnyInvocable<void(absl::Status)> on_shutdown_;
  const std::unique_ptr<MemoryAllocatorFactory> allocators_;
};

// Lends the only allocator factory to `inner`'s listener.
class SharedAllocators final : public MemoryAllocatorFactory {
 public:
  explicit SharedAllocators(std::shared_ptr<Sink> sink) : sink_(std::move(sink)) {}
  MemoryAllocator CreateMemoryAllocator(absl::string_view name) override {
    return sink_->NewAllocator(name);
  }

 private:
  const std::shared_ptr<Sink> sink_;
};

absl::string_view ExcludesDirectCalls(const EndpointConfig& server) {
  const auto is_set = [&server](const char* argument) {
    return server.GetInt(argument).value_or(INT_MAX) != INT_MAX;
  };
  if (is_set(GRPC_ARG_MAX_CONCURRENT_STREAMS) &&
      server.GetInt(GRPC_ARG_MAX_CONCURRENT_STREAMS) != server.GetInt(kCapacityArg)) {
    return "GRPC_ARG_MAX_CONCURRENT_STREAMS";
  }
  // gRPC closes a connection without streams, however many direct calls it carries.
  if (is_set(GRPC_ARG_MAX_CONNECTION_IDLE_MS)) return "GRPC_ARG_MAX_CONNECTION_IDLE_MS";
  // Direct calls go on after gRPC has closed their connection.
  if (is_set(GRPC_ARG_MAX_CONNECTION_AGE_MS) && is_set(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS)) {
    return "GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS";
  }
  return "";
}

uint64_t MessageLimit(const EndpointConfig& server) {
  const int limit = server.GetInt(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH).value_or(4 << 20);
  return limit < 0 ? UINT64_MAX : static_cast<uint64_t>(limit);
}

ServerLimits LimitsOf(const EndpointConfig& server) {
  return {.excludes_direct_calls = ExcludesDirectCalls(server),
          .max_metadata_bytes =
              MetadataLimit(server.GetInt(GRPC_ARG_MAX_METADATA_SIZE).value_or(-1),
                            server.GetInt(GRPC_ARG_ABSOLUTE_MAX_METADATA_SIZE).value_or(-1)),
          .max_message_bytes = MessageLimit(server)};
}

std::optional<ServiceName> NameOf(const EventEngine::ResolvedAddress& address, int port) {
  if (const auto file = UnixFile::Of(address.address(), address.size())) return file->Name();
  std::optional<TcpAddress> tcp = TcpAddress::From(address.address(), address.size());
  const std::optional<NetworkNamespace> space = NetworkNamespace::OfThread();
  if (!tcp.has_value() || !space.has_value()) return std::nullopt;
  tcp->port = static_cast<uint16_t>(port);
  return tcp->IsAny() ? NameOfAnyAddress(tcp->port, *space) : NameOfAddress(*tcp, *space);
}

class Listener final : public EventEngine::Listener {
 public:
  Listener(std::shared_ptr<EventEngine> executor, Watchdog* watchdog, std::shared_ptr<Sink> sink,
           std::unique_ptr<EventEngine::Listener> inner, const ServerLimits& limits)
      : executor_(std::move(executor)),
        watchdog_(watchdog),
        sink_(std::move(sink)),
        inner_(std::make_shared<NetworkListener>(std::move(inner))),
        limits_(limits) {}

  ~Listener() override {
    for (const auto& acceptor : acceptors_) acceptor->Stop();
    for (const auto& address : registered_) address->Stop();
    if (back_ != nullptr) back_->Stop();
    inner_->Close();
    for (const auto& [server, name] : other_names_) GiveNameBack(server, name);
  }

  absl::StatusOr<int> Bind(const EventEngine::ResolvedAddress& address) override {
    if (started_) return absl::FailedPreconditionError("Bind() after Start() of a listener");
    if (std::shared_ptr<BackServer> back = BackServer::AtAddress(address)) {
      back_ = std::move(back);
      return 1;
    }
    const std::optional<CxlAddress> ours = DecodeAddress(address);
    if (!ours.has_value()) {
      uses_inner_ = true;
      const absl::StatusOr<int> port = inner_->Bind(address);
      const std::optional<int> context = CxlListening::Network();
      if (port.ok() && context.has_value()) {
        if (const auto found = SettingsRegistry<ListenContext>::Find(*context); found.ok()) {
          RegisterNetworkListener(found->server, inner_);
        }
        if (const auto name = NameOf(address, *port)) Register(*name, *context);
        RegisterOtherNames(*context, *port);
      }
      return port;
    }
    absl::StatusOr<std::shared_ptr<Acceptor>> acceptor =
        Acceptor::Listen(executor_, watchdog_, *ours, limits_);
    if (!acceptor.ok()) {
      LOG(ERROR) << "cannot listen on cxl:///" << ours->name.str() << ": "
                 << acceptor.status().message();
      return acceptor.status();
    }
    acceptors_.push_back(*std::move(acceptor));
    RegisterOtherNames(ours->options, 0);
    return 1;  // every name's "port": gRPC requires a positive number
  }

  absl::Status Start() override {
    if (started_) return absl::FailedPreconditionError("a listener is started only once");
    started_ = true;
    const auto accept = [sink = sink_](std::unique_ptr<EventEngine::Endpoint> endpoint) {
      sink->Accept(std::move(endpoint), sink->NewAllocator("cxl-endpoint"));
    };
    // Before names are taken over: the server that had them may leave at once.
    if (uses_inner_) {
      if (absl::Status status = inner_->Start(); !status.ok()) return status;
    }
    for (const auto& acceptor : acceptors_) acceptor->Start(accept);
    for (const auto& address : registered_) address->Start(accept);
    if (back_ != nullptr) back_->Start(accept, limits_);
    return absl::OkStatus();
  }

 private:
  // So that the clients of this host find the address. `context` is the number of its settings.
  void Register(const ServiceName& name, int context) {
    registered_.push_back(
        RegisteredAddress::Register(executor_, watchdog_, {name, context}, limits_));
  }

  void RegisterOtherNames(int context, int port) {
    const absl::StatusOr<ListenContext> found = SettingsRegistry<ListenContext>::Find(context);
    if (!found.ok() || found->settings.region.has_value()) return;
    for (const std::string& host : found->settings.also_known_as) {
      if (const auto name = NameOfHost(host); name.ok()) TakeAndRegister(*found, *name, context);
    }
    // Those of the environment are for one of this process's servers; the port says which.
    for (const std::string& host : found->settings.process_known_as) {
      const auto name = NameOfHost(host);
      if (name.ok() && AddressOfName(*name)->port == port) TakeAndRegister(*found, *name, context);
    }
  }

  void TakeAndRegister(const ListenContext& found, const ServiceName& name, int context) {
    if (!TakeName(found.server, name)) return;
    other_names_.emplace_back(found.server, name);
    Register(name, context);
  }

  const std::shared_ptr<EventEngine> executor_;
  Watchdog* const watchdog_;
  const std::shared_ptr<Sink> sink_;
  const std::shared_ptr<NetworkListener> inner_;
  const ServerLimits limits_;
  bool uses_inner_ = false;
  bool started_ = false;
  std::vector<std::shared_ptr<Acceptor>> acceptors_;
  std::vector<std::shared_ptr<RegisteredAddress>> registered_;
  std::shared_ptr<BackServer> back_;                              // of its address; else null
  std::vector<std::pair<const void*, ServiceName>> other_names_;  // with their servers
};

}  // namespace

absl::StatusOr<std::unique_ptr<EventEngine::Listener>> MakeListener(
    std::shared_ptr<EventEngine> inner, Watchdog* watchdog,
    EventEngine::Listener::AcceptCallback on_accept,
    absl::AnyInvocable<void(absl::Status)> on_shutdown, const EndpointConfig& config,
    std::unique_ptr<MemoryAllocatorFactory> allocators) {
  auto sink = std::make_shared<Sink>(inner, std::move(on_accept), std::move(on_shutdown),
                                     std::move(allocators));
  // Made now, needed or not: `config` is gone when the first Bind() shows the kind of address.
  absl::StatusOr<std::unique_ptr<EventEngine::Listener>> inner_listener = inner->CreateListener(
      [sink](std::unique_ptr<EventEngine::Endpoint> endpoint, MemoryAllocator allocator) {
        OfferSeason::Begin();
        sink->Accept(std::move(endpoint), std::move(allocator));
      },
      [sink](const absl::Status&) {}, config, std::make_unique<SharedAllocators>(sink));
  if (!inner_listener.ok()) {
    sink->Cancel();
    return inner_listener.status();
  }
  return std::make_unique<Listener>(std::move(inner), watchdog, std::move(sink),
                                    *std::move(inner_listener), LimitsOf(config));
}

}  // namespace grpc_cxl::internal
