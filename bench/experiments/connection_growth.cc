// SPDX-License-Identifier: Apache-2.0
#include "bench/experiments/connection_growth.h"

#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "bench/experiments/idle.h"
#include "bench/harness/control.pb.h"
#include "bench/probes/usage.h"
#include "bench/roles/measure.h"

namespace grpc_cxl::bench {
namespace {

constexpr double kRoundSeconds = 0.2;
constexpr int kRounds = 5;

// p50 of calls on the pair's first connection, which the first call opens; median over rounds.
absl::StatusOr<double> P50(ProcessPair& pair) {
  Request request;
  Round& round = *request.mutable_round();
  round.mutable_what()->set_api("sync");
  round.mutable_what()->set_size_bytes(64);
  round.mutable_what()->set_concurrency(1);
  round.mutable_what()->set_payload("string");
  round.set_seconds(kRoundSeconds);
  std::vector<double> p50s;
  for (int i = 0; i < kRounds; ++i) {
    const absl::StatusOr<Reply> reply = pair.Ask(request, absl::Seconds(60));
    if (!reply.ok()) return reply.status();
    p50s.push_back(reply->round_result().p50_us());
  }
  return Median(std::move(p50s));
}

absl::StatusOr<ConnectionsOpened> Open(ProcessPair& pair, uint32_t count) {
  Request request;
  request.mutable_open_connections()->set_count(count);
  const absl::StatusOr<Reply> reply =
      pair.Ask(request, absl::Seconds(60) + absl::Milliseconds(100) * count);
  if (!reply.ok()) return reply.status();
  return reply->connections_opened();
}

absl::Status MeasureIdleTime(ProcessPair& pair, double seconds, ConnectionCost& cost) {
  const absl::StatusOr<Rested> rested = RestWhenSettled(pair, seconds);
  if (!rested.ok()) return rested.status();
  cost.set_server_idle_ms_per_s(rested->server_cpu_ms() / seconds);
  cost.set_client_idle_ms_per_s(rested->client_cpu_ms() / seconds);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ConnectionGrowth> MeasureGrowth(const ProcessPairOptions& options,
                                               absl::Span<const uint32_t> counts,
                                               double idle_seconds) {
  auto pair = ProcessPair::Start(options);
  if (!pair.ok()) return pair.status();
  if (const auto connected = P50(**pair); !connected.ok()) return connected.status();
  const Memory server_at_1 = MemoryOf((*pair)->server_pid());
  const Memory client_at_1 = MemoryOf((*pair)->client_pid());

  ConnectionGrowth growth;
  uint32_t open = 1;
  for (const uint32_t count : counts) {
    ConnectionCost cost;
    cost.set_transport(options.transport);
    cost.set_connections(count);
    if (count > open) {
      const absl::StatusOr<ConnectionsOpened> opened = Open(**pair, count - open);
      if (!opened.ok()) {
        growth.end = opened.status();
        return growth;
      }
      open = count;
      cost.set_connect_ms(opened->median_ms());
      cost.set_longest_connect_ms(opened->longest_ms());
    }
    absl::Status rested = MeasureIdleTime(**pair, idle_seconds, cost);
    if (!rested.ok()) return rested;
    if (open > 1) {
      const Memory server = MemoryOf((*pair)->server_pid());
      const Memory client = MemoryOf((*pair)->client_pid());
      const double more = open - 1;
      cost.set_server_bytes((server.own - server_at_1.own) / more);
      cost.set_client_bytes((client.own - client_at_1.own) / more);
      cost.set_arena_bytes((server.shared - server_at_1.shared) / more);
    }
    const absl::StatusOr<double> p50 = P50(**pair);
    if (!p50.ok()) return p50.status();
    cost.set_p50_us(*p50);
    growth.costs.push_back(std::move(cost));
  }
  return growth;
}

}  // namespace grpc_cxl::bench
