// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/resolver.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/event_engine/cxl_address.h"
#include "grpc_cxl/event_engine/servers_of_name.h"
#include "grpc_cxl/event_engine/settings_registry.h"
#include "grpc_cxl/rendezvous/own_address.h"
#include "grpc_cxl/rendezvous/service_name.h"
#include "grpc_cxl/rendezvous/tcp_address.h"

namespace grpc_cxl::internal {
namespace {

using grpc_event_engine::experimental::EventEngine;

using Addresses = absl::StatusOr<std::vector<EventEngine::ResolvedAddress>>;

Addresses Encode(absl::string_view name, std::optional<int> number) {
  const absl::StatusOr<CxlAddress> address = ParseCxlTarget(name);
  if (!address.ok()) return address.status();
  std::vector<EventEngine::ResolvedAddress> addresses = {EncodeAddress(*address)};
  if (!number.has_value()) return addresses;
  const auto settings = SettingsRegistry<ChannelSettings>::Find(*number);
  if (!settings.ok()) return addresses;  // Connect() says so
  addresses.clear();
  for (const ServiceName& server : ServersOf(address->name, *settings)) {
    addresses.push_back(EncodeAddress({server}));
  }
  return addresses;
}

Addresses Refuse(absl::string_view name, std::optional<int>) {
  return absl::InvalidArgumentError(
      absl::StrCat(name,
                   " needs grpc_cxl::ChannelCredentials() on a channel and "
                   "grpc_cxl::ServerCredentials() on a server; pass credentials such as TLS "
                   "to them as `inner`"));
}

// One question to the kernel an address; not for lists that would take long.
constexpr size_t kMostToSort = 64;

void PutOwnFirst(std::vector<EventEngine::ResolvedAddress>* addresses) {
  if (addresses->size() < 2 || addresses->size() > kMostToSort) return;
  std::stable_partition(addresses->begin(), addresses->end(),
                        [](const EventEngine::ResolvedAddress& address) {
                          const auto tcp = TcpAddress::From(address.address(), address.size());
                          return tcp.has_value() && IsOwnAddress(*tcp).value_or(false);
                        });
}

class Resolver final : public EventEngine::DNSResolver {
 public:
  Resolver(std::shared_ptr<EventEngine> executor, std::unique_ptr<EventEngine::DNSResolver> inner,
           Addresses (*answer)(absl::string_view, std::optional<int>), bool own_first,
           std::optional<int> settings = std::nullopt)
      : executor_(std::move(executor)),
        inner_(std::move(inner)),
        answer_(answer),
        own_first_(own_first),
        settings_(settings) {}

  // On another thread: gRPC holds a lock here that the callback takes.
  void LookupHostname(LookupHostnameCallback on_resolve, absl::string_view name,
                      absl::string_view default_port) override {
    if (!ServiceName::IsTarget(name)) {
      if (own_first_) {
        on_resolve = [on_resolve = std::move(on_resolve)](Addresses addresses) mutable {
          if (addresses.ok()) PutOwnFirst(&*addresses);
          on_resolve(std::move(addresses));
        };
      }
      return inner_->LookupHostname(std::move(on_resolve), name, default_port);
    }
    executor_->Run([on_resolve = std::move(on_resolve), answer = answer_, name = std::string(name),
                    settings = settings_]() mutable { on_resolve(answer(name, settings)); });
  }

  void LookupSRV(LookupSRVCallback on_resolve, absl::string_view name) override {
    if (!ServiceName::IsTarget(name)) return inner_->LookupSRV(std::move(on_resolve), name);
    executor_->Run([on_resolve = std::move(on_resolve)]() mutable {
      on_resolve(std::vector<EventEngine::DNSResolver::SRVRecord>());
    });
  }

  void LookupTXT(LookupTXTCallback on_resolve, absl::string_view name) override {
    if (!ServiceName::IsTarget(name)) return inner_->LookupTXT(std::move(on_resolve), name);
    executor_->Run(
        [on_resolve = std::move(on_resolve)]() mutable { on_resolve(std::vector<std::string>()); });
  }

 private:
  const std::shared_ptr<EventEngine> executor_;
  const std::unique_ptr<EventEngine::DNSResolver> inner_;
  Addresses (*const answer_)(absl::string_view, std::optional<int>);  // to a `cxl:` name
  const bool own_first_;
  const std::optional<int> settings_;
};

}  // namespace

std::unique_ptr<EventEngine::DNSResolver> MakeResolver(
    std::shared_ptr<EventEngine> executor, std::unique_ptr<EventEngine::DNSResolver> inner,
    std::optional<int> settings) {
  return std::make_unique<Resolver>(std::move(executor), std::move(inner), Encode,
                                    /*own_first=*/true, settings);
}

std::unique_ptr<EventEngine::DNSResolver> MakeRefusingResolver(
    std::shared_ptr<EventEngine> executor, std::unique_ptr<EventEngine::DNSResolver> inner) {
  return std::make_unique<Resolver>(std::move(executor), std::move(inner), Refuse,
                                    /*own_first=*/false);
}

}  // namespace grpc_cxl::internal
