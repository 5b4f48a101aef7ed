// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_LOCAL_SERVER_H_
#define GRPC_CXL_EVENT_ENGINE_LOCAL_SERVER_H_

#include <grpc/event_engine/event_engine.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

// A server of this host that has registered a network address, or several that are its replicas.
struct LocalServer {
  ServiceName name;  // of the replicas, if that is what they are
  // Whether the process at the other end of `socket`, which the name led to, may answer for the
  // address: PERMISSION_DENIED, or an error of CheckAnswersFor().
  std::function<absl::Status(int socket)> check;
};

// The servers that have registered, in this order:
// * a TCP address of the calling thread's network namespace, by itself or with all others: must be
//   whom the kernel would connect
// * the file of a unix socket: must have the uid of the file's owner, or be root
// * `host`, the host and port of the channel's target, among those that it is also known as: must
//   have our own uid or root's, be one of `trusted_uids`, or prove to know our secret
// May be dead, or liars: see check(). Makes no directory, and does not read it: a few system calls,
// however many names it has. If there are none, `*why_none`, unless it is null, becomes a sentence.
std::vector<LocalServer> FindLocalServers(
    const grpc_event_engine::experimental::EventEngine::ResolvedAddress& address,
    const std::string& host, const EndpointSettings& settings, std::string* why_none = nullptr);

// The names of all that could ever register; only that of `host` where the address is another
// host's. A few system calls.
std::vector<ServiceName> LocalNames(
    const grpc_event_engine::experimental::EventEngine::ResolvedAddress& address,
    const std::string& host, const EndpointSettings& settings);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_LOCAL_SERVER_H_
