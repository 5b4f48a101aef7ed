// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/resolver.h"

#include <utility>
#include <vector>

#include "grpc_cxl/event_engine/cxl_address.h"

namespace grpc_cxl::internal {
namespace {

using grpc_event_engine::experimental::EventEngine;

class Resolver final : public EventEngine::DNSResolver {
 public:
  Resolver(std::shared_ptr<EventEngine> executor, std::unique_ptr<EventEngine::DNSResolver> inner)
      : executor_(std::move(executor)), inner_(std::move(inner)) {}

  // The answer is known at once but given on another thread: gRPC holds a lock here that the
  // callback takes.
  void LookupHostname(LookupHostnameCallback on_resolve, absl::string_view name,
                      absl::string_view default_port) override {
    if (!IsCxlTarget(name)) {
      return inner_->LookupHostname(std::move(on_resolve), name, default_port);
    }
    absl::StatusOr<std::vector<EventEngine::ResolvedAddress>> result;
    if (absl::StatusOr<CxlAddress> address = ParseCxlTarget(name); address.ok()) {
      result = std::vector<EventEngine::ResolvedAddress>{EncodeAddress(*address)};
    } else {
      result = address.status();
    }
    executor_->Run([on_resolve = std::move(on_resolve), result = std::move(result)]() mutable {
      on_resolve(std::move(result));
    });
  }

  void LookupSRV(LookupSRVCallback on_resolve, absl::string_view name) override {
    if (!IsCxlTarget(name)) return inner_->LookupSRV(std::move(on_resolve), name);
    executor_->Run([on_resolve = std::move(on_resolve)]() mutable {
      on_resolve(std::vector<EventEngine::DNSResolver::SRVRecord>());
    });
  }

  void LookupTXT(LookupTXTCallback on_resolve, absl::string_view name) override {
    if (!IsCxlTarget(name)) return inner_->LookupTXT(std::move(on_resolve), name);
    executor_->Run(
        [on_resolve = std::move(on_resolve)]() mutable { on_resolve(std::vector<std::string>()); });
  }

 private:
  const std::shared_ptr<EventEngine> executor_;
  const std::unique_ptr<EventEngine::DNSResolver> inner_;
};

}  // namespace

std::unique_ptr<EventEngine::DNSResolver> MakeResolver(
    std::shared_ptr<EventEngine> executor, std::unique_ptr<EventEngine::DNSResolver> inner) {
  return std::make_unique<Resolver>(std::move(executor), std::move(inner));
}

}  // namespace grpc_cxl::internal
