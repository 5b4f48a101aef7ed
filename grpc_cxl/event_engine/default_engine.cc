// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/default_engine.h"

#include <utility>

#include "grpc_cxl/event_engine/resolver.h"

namespace grpc_cxl::internal {
namespace {

using grpc_event_engine::experimental::EventEngine;

thread_local CxlListening* listening = nullptr;

}  // namespace

CxlListening::CxlListening(std::optional<int> network) : outer_(listening), network_(network) {
  listening = this;
}

CxlListening::~CxlListening() { listening = outer_; }

std::optional<int> CxlListening::Network() {
  return listening == nullptr ? std::nullopt : listening->network_;
}

absl::StatusOr<std::unique_ptr<EventEngine::DNSResolver>> DefaultEngine::GetDNSResolver(
    const DNSResolver::ResolverOptions& options) {
  if (listening != nullptr) return CxlEngine::GetDNSResolver(options);
  absl::StatusOr<std::unique_ptr<DNSResolver>> resolver = inner()->GetDNSResolver(options);
  if (!resolver.ok()) return resolver.status();
  return MakeRefusingResolver(inner(), *std::move(resolver));
}

void* DefaultEngine::QueryExtension(absl::string_view id) {
  return listening != nullptr ? CxlEngine::QueryExtension(id) : inner()->QueryExtension(id);
}

}  // namespace grpc_cxl::internal
