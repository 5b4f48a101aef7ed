#include "bench/experiments/connection_growth.h"

#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "bench/calls/measure.h"
#include "bench/costs/usage.h"
#include "bench/experiments/idle.h"
#include "bench/lanes/control.pb.h"

namespace grpc_cxl::bench {
namespace {

constexpr double kRestSeconds = 3, kRoundSeconds = 0.2;
constexpr int kRounds = 5;

// p50 of calls on the lane's own connection, which the first call opens: the median of rounds.
absl::StatusOr<double> P50(Lane& lane) {
  Request request;
  Round& round = *request.mutable_round();
  round.mutable_what()->set_api("sync");
  round.mutable_what()->set_size_bytes(64);
  round.mutable_what()->set_concurrency(1);
  round.mutable_what()->set_payload("string");
  round.set_seconds(kRoundSeconds);
  std::vector<double> p50s;
  for (int i = 0; i < kRounds; ++i) {
    const absl::StatusOr<Reply> reply = lane.Ask(request, absl::Seconds(60));
    if (!reply.ok()) return reply.status();
    p50s.push_back(reply->round_result().p50_us());
  }
  return Median(std::move(p50s));
}

absl::StatusOr<ConnectionsOpened> Open(Lane& lane, uint32_t count) {
  Request request;
  request.mutable_open_connections()->set_count(count);
  const absl::StatusOr<Reply> reply =
      lane.Ask(request, absl::Seconds(60) + absl::Milliseconds(100) * count);
  if (!reply.ok()) return reply.status();
  return reply->connections_opened();
}

absl::Status MeasureIdleTime(Lane& lane, ConnectionCost& cost) {
  const absl::StatusOr<Rested> rested = RestWhenSettled(lane, kRestSeconds);
  if (!rested.ok()) return rested.status();
  cost.set_server_idle_ms_per_s(rested->server_cpu_ms() / kRestSeconds);
  cost.set_client_idle_ms_per_s(rested->client_cpu_ms() / kRestSeconds);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ConnectionGrowth> MeasureGrowth(const LaneOptions& options,
                                               absl::Span<const uint32_t> counts) {
  auto lane = Lane::Start(options);
  if (!lane.ok()) return lane.status();
  if (const auto connected = P50(**lane); !connected.ok()) return connected.status();
  const Memory server_at_1 = MemoryOf((*lane)->server_pid());
  const Memory client_at_1 = MemoryOf((*lane)->client_pid());

  ConnectionGrowth growth;
  uint32_t open = 1;
  for (const uint32_t count : counts) {
    ConnectionCost cost;
    cost.set_transport(options.transport);
    cost.set_connections(count);
    if (count > open) {
      const absl::StatusOr<ConnectionsOpened> opened = Open(**lane, count - open);
      if (!opened.ok()) {
        growth.end = opened.status();
        return growth;
      }
      open = count;
      cost.set_connect_ms(opened->median_ms());
      cost.set_longest_connect_ms(opened->longest_ms());
    }
    if (absl::Status rested = MeasureIdleTime(**lane, cost); !rested.ok()) return rested;
    if (open > 1) {
      const Memory server = MemoryOf((*lane)->server_pid());
      const Memory client = MemoryOf((*lane)->client_pid());
      const double more = open - 1;
      cost.set_server_bytes((server.own - server_at_1.own) / more);
      cost.set_client_bytes((client.own - client_at_1.own) / more);
      cost.set_arena_bytes((server.shared - server_at_1.shared) / more);
    }
    const absl::StatusOr<double> p50 = P50(**lane);
    if (!p50.ok()) return p50.status();
    cost.set_p50_us(*p50);
    growth.costs.push_back(std::move(cost));
  }
  return growth;
}

}  // namespace grpc_cxl::bench
