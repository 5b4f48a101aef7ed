// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/way_back.h"

#include <utility>

#include "absl/base/no_destructor.h"
#include "grpc_cxl/base/foreign_fd.h"

namespace grpc_cxl::internal {
namespace {

struct Ways {
  absl::Mutex mu;
  std::map<LineClaim, std::weak_ptr<WayBack>> by_claim ABSL_GUARDED_BY(mu);
};

// Of all servers of the process: whichever name a client has found, its claim leads to one way.
Ways& TheWays() {
  static absl::NoDestructor<Ways> ways;
  return *ways;
}

std::shared_ptr<WayBack> Find(const LineClaim& claim) {
  Ways& ways = TheWays();
  absl::MutexLock lock(ways.mu);
  const auto found = ways.by_claim.find(claim);
  return found == ways.by_claim.end() ? nullptr : found->second.lock();
}

}  // namespace

std::shared_ptr<WayBack> WayBack::Make(std::shared_ptr<EventEngine> executor, LineSource lines,
                                       Client client, const ServerSettings& settings) {
  std::shared_ptr<WayBack> way(
      new WayBack(std::move(executor), std::move(lines), std::move(client), settings));
  way->number_ = Numbered<WayBack>::Add(way);
  Ways& ways = TheWays();
  absl::MutexLock lock(ways.mu);
  ways.by_claim[ClaimOf(way->key())] = way;
  return way;
}

WayBack::WayBack(std::shared_ptr<EventEngine> executor, LineSource lines, Client client,
                 const ServerSettings& settings)
    : executor_(std::move(executor)),
      lines_(std::move(lines)),
      client_(std::move(client)),
      settings_(settings) {}

WayBack::~WayBack() {
  if (line_) CloseSocket(std::move(line_));
  Numbered<WayBack>::Remove(number_);
  const LineClaim claim = ClaimOf(key());
  Ways& ways = TheWays();
  absl::MutexLock lock(ways.mu);
  // A hostile client may have given its key to another connection as well, which has it now.
  const auto found = ways.by_claim.find(claim);
  if (found != ways.by_claim.end() && found->second.expired()) ways.by_claim.erase(found);
}

void WayBack::LiveWith(EndpointCore& connection) {
  connection.OnEnd([self = shared_from_this()](const absl::Status&) { self->End(); });
}

void WayBack::End() {
  UniqueFd line;
  std::map<int, Waiting> waiting;
  std::shared_ptr<void> channel;
  {
    absl::MutexLock lock(mu_);
    ended_ = true;
    line = std::move(line_);
    waiting.swap(waiting_);
    channel = std::move(channel_);
  }
  CloseSocket(std::move(line));
  bond_->End();
  // Elsewhere: the thread that ends a connection may hold its locks, and gRPC's.
  for (auto& [number, entry] : waiting) {
    executor_->Cancel(entry.timer);
    executor_->Run([on_line = std::move(entry.on_line)]() mutable { on_line(LifeBond::Reason()); });
  }
  if (channel != nullptr) executor_->Run([channel = std::move(channel)] {});
}

absl::Status WayBack::Bring(UniqueFd& socket, const LineClaim& claim) {
  const absl::StatusOr<PeerProcess> process = PeerProcess::Of(socket.get());
  if (!process.ok()) return process.status();
  const std::shared_ptr<WayBack> way = Find(claim);
  if (way == nullptr) {
    return absl::PermissionDeniedError("the line belongs to no connection of this server");
  }
  if (*process != way->lines_.client) {
    return absl::PermissionDeniedError("the line belongs to a connection of another process");
  }
  way->Take(std::move(socket));
  return absl::OkStatus();
}

void WayBack::Take(UniqueFd line) {
  UniqueFd dropped;
  std::map<int, Waiting>::node_type first;
  {
    absl::MutexLock lock(mu_);
    if (ended_) {
      dropped = std::move(line);
    } else if (waiting_.empty()) {
      dropped = std::exchange(line_, std::move(line));
    } else {
      first = waiting_.extract(waiting_.begin());
    }
  }
  CloseSocket(std::move(dropped));
  if (first.empty()) return;
  executor_->Cancel(first.mapped().timer);
  first.mapped().on_line(std::move(line));
}

void WayBack::Await(EventEngine::Duration patience, OnLine on_line) {
  absl::StatusOr<UniqueFd> line;
  {
    absl::MutexLock lock(mu_);
    if (!ended_ && !line_) {
      const int waiting = ++last_waiting_;
      const auto timer = executor_->RunAfter(patience, [weak = weak_from_this(), waiting] {
        if (const auto self = weak.lock()) self->GiveUp(waiting);
      });
      waiting_.emplace(waiting, Waiting{std::move(on_line), timer});
      return;
    }
    line = ended_ ? absl::StatusOr<UniqueFd>(LifeBond::Reason()) : std::move(line_);
  }
  on_line(std::move(line));
}

void WayBack::GiveUp(int waiting) {
  std::map<int, Waiting>::node_type late;
  {
    absl::MutexLock lock(mu_);
    late = waiting_.extract(waiting);
  }
  if (late.empty()) return;
  late.mapped().on_line(absl::DeadlineExceededError(
      "the client has kept no line for calls back: it may be stopped, or not find this server's "
      "name any more"));
}

absl::StatusOr<std::shared_ptr<void>> WayBack::Channel(
    absl::FunctionRef<std::shared_ptr<void>()> make) {
  absl::MutexLock lock(mu_);
  if (ended_) return LifeBond::Reason();
  if (channel_ == nullptr) channel_ = make();
  return channel_;
}

}  // namespace grpc_cxl::internal
