// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/local_first.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/no_destructor.h"
#include "absl/base/thread_annotations.h"
#include "absl/log/log.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/event_engine/connection_log.h"
#include "grpc_cxl/event_engine/connector.h"
#include "grpc_cxl/event_engine/path_counters.h"
#include "grpc_cxl/event_engine/status_publisher.h"
#include "grpc_cxl/event_engine/status_table.h"
#include "grpc_cxl/rendezvous/tcp_address.h"

namespace grpc_cxl::internal {
namespace {

using grpc_event_engine::experimental::EventEngine;
using Clock = std::chrono::steady_clock;

constexpr auto kBetweenLines = std::chrono::seconds(10);

struct Lines {
  absl::Mutex mu;
  std::map<std::string, Clock::time_point> last ABSL_GUARDED_BY(mu);
};

// Whether it is time for another line about this name.
bool IsLineDue(const std::string& name) {
  static absl::NoDestructor<Lines> lines;
  const Clock::time_point now = Clock::now();
  absl::MutexLock lock(lines->mu);
  std::erase_if(lines->last, [now](const auto& line) { return now - line.second > kBetweenLines; });
  return lines->last.emplace(name, now).second;
}

// Whether this is more than a server that is dead, or about to be.
bool IsDeclined(const std::string& name, const absl::Status& status) {
  if (absl::IsUnavailable(status)) {
    VLOG(1) << name << ": " << status.message();
    return false;
  }
  if (IsLineDue(name)) {
    LOG(WARNING) << "a server of this host has registered " << name
                 << ", but is not reached through memory: " << status.message();
  }
  return true;
}

std::string TextOf(const EventEngine::ResolvedAddress& address) {
  if (const auto tcp = TcpAddress::From(address.address(), address.size())) {
    return absl::StrCat(tcp->IsIpv4() ? tcp->Ip() : absl::StrCat("[", tcp->Ip(), "]"), ":",
                        tcp->port);
  }
  return address.address()->sa_family == AF_UNIX ? "a unix socket" : "another address";
}

void Try(LocalFirstRequest request, Clock::time_point deadline,
         EventEngine::OnConnectCallback on_connect) {
  const EventEngine::Duration left =
      std::max<EventEngine::Duration>(deadline - Clock::now(), std::chrono::milliseconds(1));
  if (request.servers.empty()) {
    if (request.declined) PathCounters::OfProcess().declined.Add();
    request.local.executor->Connect(CountNetwork(std::move(on_connect), request.address,
                                                 request.local.settings, std::move(request.why)),
                                    request.address, *request.config, std::move(request.allocator),
                                    left);
    return;
  }
  ConnectRequest local = request.local;
  local.name = request.servers.front().name;
  const std::string name = local.name.str();
  local.check_server = std::move(request.servers.front().check);
  request.servers.erase(request.servers.begin());
  Connect(std::move(local), left / 4,
          [request = std::move(request), name, deadline,
           on_connect = std::move(on_connect)](ConnectAttempt::Result result) mutable {
            if (result.ok()) return on_connect(std::move(result));
            if (IsDeclined(name, result.status())) request.declined = true;
            request.why = std::string(result.status().message());
            Try(std::move(request), deadline, std::move(on_connect));
          });
}

}  // namespace

EventEngine::OnConnectCallback CountNetwork(EventEngine::OnConnectCallback on_connect,
                                            const EventEngine::ResolvedAddress& address,
                                            const EndpointSettings& settings, std::string reason) {
  return [on_connect = std::move(on_connect), address, settings,
          reason = std::move(reason)](ConnectAttempt::Result result) mutable {
    if (result.ok()) {
      PathCounters::OfProcess().network.Add();
      StatusTable::OfProcess().AddNetwork(TextOf(address), reason);
      LogConnection(settings, [&] {
        return absl::StrCat(TextOf(address),
                            ": the connection is made, over the network: ", reason);
      });
      ShowStatus(settings);
    }
    on_connect(std::move(result));
  };
}

void ConnectLocalFirst(LocalFirstRequest request, EventEngine::Duration timeout,
                       EventEngine::OnConnectCallback on_connect) {
  Try(std::move(request), Clock::now() + timeout, std::move(on_connect));
}

}  // namespace grpc_cxl::internal
