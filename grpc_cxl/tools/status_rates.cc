// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/tools/status_rates.h"

#include <algorithm>
#include <cmath>

namespace grpc_cxl::internal {
namespace {

class Rate {
 public:
  explicit Rate(double seconds) : seconds_(std::max(seconds, 1e-3)) {}

  void operator()(uint64_t before, uint64_t* now) const {
    const uint64_t more = *now > before ? *now - before : 0;
    *now = static_cast<uint64_t>(std::llround(static_cast<double>(more) / seconds_));
  }

 private:
  const double seconds_;
};

void Change(const StatusConnection& before, const Rate& rate, StatusConnection* now) {
  constexpr uint64_t StatusConnection::*kCounters[] = {&StatusConnection::writes,
                                                       &StatusConnection::reads,
                                                       &StatusConnection::ring_bytes_out,
                                                       &StatusConnection::ring_bytes_in,
                                                       &StatusConnection::full_waits,
                                                       &StatusConnection::wakes_sent,
                                                       &StatusConnection::wakes_received,
                                                       &StatusConnection::block_bytes_out,
                                                       &StatusConnection::block_bytes_in,
                                                       &StatusConnection::calls,
                                                       &StatusConnection::calls_not_taken,
                                                       &StatusConnection::call_bytes_out,
                                                       &StatusConnection::call_bytes_in,
                                                       &StatusConnection::latency_sum,
                                                       &StatusConnection::one_way_calls,
                                                       &StatusConnection::streams,
                                                       &StatusConnection::stream_messages_out,
                                                       &StatusConnection::stream_messages_in,
                                                       &StatusConnection::stream_bytes_out,
                                                       &StatusConnection::stream_bytes_in};
  for (const auto counter : kCounters) rate(before.*counter, &(now->*counter));
  for (size_t i = 0; i < kCallOutcomes; ++i) {
    rate(before.outcomes[i], &now->outcomes[i]);
    rate(before.stream_outcomes[i], &now->stream_outcomes[i]);
  }
  for (size_t i = 0; i < kLatencyBuckets; ++i) {
    now->latency[i] -= std::min(now->latency[i], before.latency[i]);
  }
}

void Change(const StatusProcess& before, const Rate& rate, StatusProcess* now) {
  constexpr uint64_t StatusProcess::*kCounters[] = {
      &StatusProcess::direct,           &StatusProcess::not_taken,
      &StatusProcess::no_connection,    &StatusProcess::not_eligible,
      &StatusProcess::too_large,        &StatusProcess::no_slot,
      &StatusProcess::excluded_channel, &StatusProcess::global_interceptor,
      &StatusProcess::no_descriptor,    &StatusProcess::served,
      &StatusProcess::refused,          &StatusProcess::one_way,
      &StatusProcess::direct_streams,   &StatusProcess::http2_streams,
      &StatusProcess::served_streams};
  for (const auto counter : kCounters) rate(before.*counter, &(now->*counter));
}

bool AreSame(const StatusConnection& a, const StatusConnection& b) {
  return a.arena == b.arena && a.side == b.side && a.start_time == b.start_time;
}

}  // namespace

HostStatus RatesSince(const HostStatus& before, HostStatus now, double seconds) {
  const Rate rate(seconds);
  for (ProcessStatus& process : now.processes) {
    const auto old =
        std::find_if(before.processes.begin(), before.processes.end(),
                     [&](const ProcessStatus& other) { return other.file == process.file; });
    static const StatusPage nothing;
    const StatusPage& page = old == before.processes.end() ? nothing : old->page;
    // Of a process that has just come nothing is known about the time between.
    Change(old == before.processes.end() ? process.page.process : page.process, rate,
           &process.page.process);
    for (StatusConnection& connection : process.page.connections) {
      const auto same = std::find_if(page.connections.begin(), page.connections.end(),
                                     [&](const auto& other) { return AreSame(other, connection); });
      Change(same == page.connections.end() ? StatusConnection(connection) : *same, rate,
             &connection);
    }
  }
  return now;
}

}  // namespace grpc_cxl::internal
