// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_RESOLVER_H_
#define GRPC_CXL_EVENT_ENGINE_RESOLVER_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>

namespace grpc_cxl::internal {

// A DNS resolver that answers `cxl:` names itself and passes others to `inner`. gRPC resolves
// every target of an unknown scheme through DNS. Of a host's addresses, those of this network
// namespace come first, for the policy that takes the first that it can have (pick_first).
std::unique_ptr<grpc_event_engine::experimental::EventEngine::DNSResolver> MakeResolver(
    std::shared_ptr<grpc_event_engine::experimental::EventEngine> executor,
    std::unique_ptr<grpc_event_engine::experimental::EventEngine::DNSResolver> inner);

// As MakeResolver(), but a `cxl:` name is an error that says which credentials it needs.
std::unique_ptr<grpc_event_engine::experimental::EventEngine::DNSResolver> MakeRefusingResolver(
    std::shared_ptr<grpc_event_engine::experimental::EventEngine> executor,
    std::unique_ptr<grpc_event_engine::experimental::EventEngine::DNSResolver> inner);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_RESOLVER_H_
