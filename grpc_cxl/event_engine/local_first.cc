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
#include "grpc_cxl/endpoint/accompanied_endpoint.h"
#include "grpc_cxl/event_engine/beside.h"
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

// How it went with all of them.
struct Tried {
  ConnectAttempt::Result result = absl::UnavailableError("no server");  // the last one's
  bool declined = false;  // by a server that was alive
};
using OnTried = absl::AnyInvocable<void(Tried)>;

EventEngine::Duration Left(Clock::time_point deadline) {
  return std::max<EventEngine::Duration>(deadline - Clock::now(), std::chrono::milliseconds(1));
}

void TryAll(ConnectRequest local, std::vector<LocalServer> servers, Clock::time_point deadline,
            Tried tried, OnTried on_tried) {
  if (servers.empty() || Clock::now() >= deadline) return on_tried(std::move(tried));
  ConnectRequest next = local;
  next.name = servers.front().name;
  next.check_server = std::move(servers.front().check);
  servers.erase(servers.begin());
  const std::string name = next.name.str();
  Connect(std::move(next), Left(deadline) / 4,
          [local = std::move(local), servers = std::move(servers), name, deadline,
           declined = tried.declined,
           on_tried = std::move(on_tried)](ConnectAttempt::Result result) mutable {
            if (result.ok()) {
              servers.clear();
            } else {
              declined |= IsDeclined(name, result.status());
            }
            TryAll(std::move(local), std::move(servers), deadline, {std::move(result), declined},
                   std::move(on_tried));
          });
}

}  // namespace

EventEngine::OnConnectCallback OverNetwork(std::shared_ptr<const NetworkTerms> terms, bool declined,
                                           EventEngine::OnConnectCallback on_connect) {
  return [terms = std::move(terms), declined,
          on_connect = std::move(on_connect)](ConnectAttempt::Result result) mutable {
    if (!result.ok()) return on_connect(std::move(result));
    PathCounters::OfProcess().network.Add();
    std::unique_ptr<EventEngine::Endpoint> connection = *std::move(result);
    if (terms->moves.has_value()) {
      connection = MovingAddress::Keep(*terms->moves, std::move(connection), declined);
    }
    if (terms->offers.has_value()) {
      if (std::shared_ptr<Beside> beside = Beside::Offer(*terms->offers)) {
        connection =
            std::make_unique<AccompaniedEndpoint>(std::move(connection), std::move(beside));
      }
    }
    on_connect(std::move(connection));
  };
}

EventEngine::OnConnectCallback NoteNetwork(const EventEngine::ResolvedAddress& address,
                                           const EndpointSettings& settings, std::string reason,
                                           EventEngine::OnConnectCallback on_connect) {
  return [address, settings, reason = std::move(reason),
          on_connect = std::move(on_connect)](ConnectAttempt::Result result) mutable {
    if (result.ok()) {
      std::shared_ptr<void> shown = StatusTable::OfProcess().AddNetwork(TextOf(address), reason);
      if (settings.status_page) {
        result = std::make_unique<AccompaniedEndpoint>(*std::move(result), std::move(shown));
      }
      ShowStatus(settings);
      LogConnection(settings, [&] {
        return absl::StrCat(TextOf(address),
                            ": the connection is made, over the network: ", reason);
      });
    }
    on_connect(std::move(result));
  };
}

void ConnectLocalFirst(LocalFirstRequest request, EventEngine::Duration timeout,
                       EventEngine::OnConnectCallback on_connect) {
  const Clock::time_point deadline = Clock::now() + timeout;
  ConnectRequest local = request.local;
  std::vector<LocalServer> servers = std::move(request.servers);
  TryAll(std::move(local), std::move(servers), deadline, {},
         [request = std::move(request), deadline,
          on_connect = std::move(on_connect)](Tried tried) mutable {
           if (tried.result.ok()) return on_connect(std::move(tried.result));
           if (tried.declined) PathCounters::OfProcess().declined.Add();
           const std::shared_ptr<EventEngine> executor = request.local.executor;
           on_connect =
               NoteNetwork(request.address, request.local.settings,
                           std::string(tried.result.status().message()), std::move(on_connect));
           executor->Connect(
               OverNetwork(std::move(request.network), tried.declined, std::move(on_connect)),
               request.address, *request.config, std::move(request.allocator), Left(deadline));
         });
}

void Probe(ConnectRequest local, std::vector<LocalServer> servers, EventEngine::Duration timeout,
           absl::AnyInvocable<void(absl::Status)> on_probed) {
  TryAll(std::move(local), std::move(servers), Clock::now() + timeout, {},
         [on_probed = std::move(on_probed)](Tried tried) mutable {
           on_probed(tried.result.status());
         });
}

}  // namespace grpc_cxl::internal
