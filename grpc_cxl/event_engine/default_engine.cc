// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/default_engine.h"

#include <utility>

#include "grpc_cxl/event_engine/resolver.h"

namespace grpc_cxl::internal {
namespace {

using grpc_event_engine::experimental::EventEngine;

thread_local int listening = 0;

}  // namespace

CxlListening::CxlListening() { ++listening; }

CxlListening::~CxlListening() { --listening; }

absl::StatusOr<std::unique_ptr<EventEngine::DNSResolver>> DefaultEngine::GetDNSResolver(
    const DNSResolver::ResolverOptions& options) {
  if (listening > 0) return CxlEngine::GetDNSResolver(options);
  absl::StatusOr<std::unique_ptr<DNSResolver>> resolver = inner()->GetDNSResolver(options);
  if (!resolver.ok()) return resolver.status();
  return MakeRefusingResolver(inner(), *std::move(resolver));
}

void* DefaultEngine::QueryExtension(absl::string_view id) {
  return listening > 0 ? CxlEngine::QueryExtension(id) : inner()->QueryExtension(id);
}

}  // namespace grpc_cxl::internal
