// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_RESOLVER_H_
#define GRPC_CXL_EVENT_ENGINE_RESOLVER_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>
#include <optional>

namespace grpc_cxl::internal {

// A DNS resolver that answers `cxl:` names itself and passes others to `inner`. gRPC resolves
// every target of an unknown scheme through DNS. Of a host's addresses, those of this network
// namespace come first, for the policy that takes the first that it can have (pick_first). With the
// number of a channel's settings, a name with replicas has the addresses of all of them, in random
// order.
//
// A resolver cannot tell gRPC of replicas that come. gRPC asks again when a connection has ended or
// could not be made, after GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS at the earliest; see
// SpreadConnections.
std::unique_ptr<grpc_event_engine::experimental::EventEngine::DNSResolver> MakeResolver(
    std::shared_ptr<grpc_event_engine::experimental::EventEngine> executor,
    std::unique_ptr<grpc_event_engine::experimental::EventEngine::DNSResolver> inner,
    std::optional<int> settings = std::nullopt);

// As MakeResolver(), but a `cxl:` name is an error that says which credentials it needs.
std::unique_ptr<grpc_event_engine::experimental::EventEngine::DNSResolver> MakeRefusingResolver(
    std::shared_ptr<grpc_event_engine::experimental::EventEngine> executor,
    std::unique_ptr<grpc_event_engine::experimental::EventEngine::DNSResolver> inner);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_RESOLVER_H_
