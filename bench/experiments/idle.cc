#include "bench/experiments/idle.h"

#include <memory>

#include "bench/lanes/lane.h"

namespace grpc_cxl::bench {
namespace {

absl::StatusOr<Rested> RestFor(Lane& lane, double seconds) {
  Request request;
  request.mutable_rest()->set_seconds(seconds);
  const absl::StatusOr<Reply> reply = lane.Ask(request, absl::Seconds(seconds + 30));
  if (!reply.ok()) return reply.status();
  return reply->rested();
}

}  // namespace

// What starting and connecting leave to be done (timers, threads that go to sleep) is not
// idleness: that has two seconds to pass.
absl::StatusOr<Rested> RestWhenSettled(Lane& lane, double seconds) {
  if (const auto settled = RestFor(lane, 2); !settled.ok()) return settled.status();
  return RestFor(lane, seconds);
}

absl::StatusOr<IdleCost> MeasureIdle(const LaneOptions& options, int connections, double seconds) {
  absl::StatusOr<std::unique_ptr<Lane>> lane = Lane::Start(options);
  if (!lane.ok()) return lane.status();
  const absl::StatusOr<Rested> before = RestWhenSettled(**lane, seconds);
  if (!before.ok()) return before.status();

  Request open;
  open.mutable_open_connections()->set_count(connections);
  const absl::StatusOr<Reply> opened =
      (*lane)->Ask(open, absl::Seconds(60) + absl::Milliseconds(100) * connections);
  if (!opened.ok()) return opened.status();
  const absl::StatusOr<Rested> after = RestWhenSettled(**lane, seconds);
  if (!after.ok()) return after.status();
  return IdleCost{before->server_cpu_ms() / seconds, before->client_cpu_ms() / seconds,
                  after->server_cpu_ms() / seconds, after->client_cpu_ms() / seconds};
}

}  // namespace grpc_cxl::bench
