// SPDX-License-Identifier: Apache-2.0
#include "bench/experiments/rounds.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/time/time.h"
#include "bench/probes/memcpy_rate.h"
#include "bench/roles/measure.h"

namespace grpc_cxl::bench {
namespace {

double Rounded(double value) { return std::round(value * 1000) / 1000; }

// The median of one field, to three decimals.
template <typename Field>
double MedianOf(const std::vector<RoundResult>& results, Field field) {
  std::vector<double> values;
  for (const RoundResult& result : results) values.push_back((result.*field)());
  return Rounded(Median(std::move(values)));
}

// Combines the results of pairs that ran at the same time.
RoundResult Combine(const std::vector<RoundResult>& pairs) {
  RoundResult sum;
  std::vector<double> p50s;
  for (const RoundResult& pair : pairs) {
    const double calls = pair.calls();
    p50s.push_back(pair.p50_us());
    sum.set_p99_us(std::max(sum.p99_us(), pair.p99_us()));
    sum.set_calls(sum.calls() + pair.calls());
    sum.set_calls_per_s(sum.calls_per_s() + pair.calls_per_s());
    sum.set_cpu_us_per_call(sum.cpu_us_per_call() + pair.cpu_us_per_call() * calls);
    sum.set_page_faults_per_call(sum.page_faults_per_call() + pair.page_faults_per_call() * calls);
    sum.set_context_switches_per_call(sum.context_switches_per_call() +
                                      pair.context_switches_per_call() * calls);
    if (pair.has_syscalls_per_call()) {
      sum.set_syscalls_per_call(sum.syscalls_per_call() + pair.syscalls_per_call() * calls);
    }
    sum.set_bytes_per_s(sum.bytes_per_s() + pair.bytes_per_s());
    if (pair.has_copies_there()) {
      sum.set_copies_there(sum.copies_there() + pair.copies_there() / pairs.size());
      sum.set_copies_back(sum.copies_back() + pair.copies_back() / pairs.size());
    }
  }
  sum.set_p50_us(Median(std::move(p50s)));
  sum.set_cpu_us_per_call(sum.cpu_us_per_call() / sum.calls());
  sum.set_page_faults_per_call(sum.page_faults_per_call() / sum.calls());
  sum.set_context_switches_per_call(sum.context_switches_per_call() / sum.calls());
  if (sum.has_syscalls_per_call()) {
    sum.set_syscalls_per_call(sum.syscalls_per_call() / sum.calls());
  }
  return sum;
}

absl::StatusOr<RoundResult> RunRound(const PairGroup& group, const Request& request,
                                     absl::Duration timeout) {
  for (const auto& pair : group) {
    if (absl::Status sent = pair->Send(request); !sent.ok()) return sent;
  }
  std::vector<RoundResult> results;
  for (const auto& pair : group) {
    const absl::StatusOr<Reply> reply = pair->Receive(timeout);
    if (!reply.ok()) return reply.status();
    results.push_back(reply->round_result());
  }
  return Combine(results);
}

}  // namespace

Row MakeRow(const Path& path, const Case& what, const std::vector<RoundResult>& results,
            double memcpy_bytes_per_s) {
  Row row;
  row.set_transport(path.transport());
  row.set_api(what.api());
  row.set_size_bytes(what.size_bytes());
  row.set_concurrency(what.concurrency());
  row.set_services(what.services());
  row.set_wait(path.wait());
  row.set_service_api(path.service_api());
  row.set_p50_us(MedianOf(results, &RoundResult::p50_us));
  row.set_p99_us(MedianOf(results, &RoundResult::p99_us));
  for (const RoundResult& result : results) {
    row.add_p50_us_of_rounds(Rounded(result.p50_us()));
    row.add_cpu_us_per_call_of_rounds(Rounded(result.cpu_us_per_call()));
  }
  const auto [low, high] =
      std::minmax_element(row.p50_us_of_rounds().begin(), row.p50_us_of_rounds().end());
  row.set_p50_low_us(*low);
  row.set_p50_high_us(*high);
  row.set_calls_per_s(MedianOf(results, &RoundResult::calls_per_s));
  row.set_cpu_us_per_call(MedianOf(results, &RoundResult::cpu_us_per_call));
  row.set_page_faults_per_call(MedianOf(results, &RoundResult::page_faults_per_call));
  row.set_context_switches_per_call(MedianOf(results, &RoundResult::context_switches_per_call));
  if (results[0].has_syscalls_per_call()) {
    row.set_syscalls_per_call(MedianOf(results, &RoundResult::syscalls_per_call));
  }
  row.set_pinned(path.pinned());
  row.set_handler_cpu_us(path.handler_cpu_us());
  row.set_payload(what.payload());
  row.set_bytes_per_s(MedianOf(results, &RoundResult::bytes_per_s));
  row.set_memcpy_bytes_per_s(memcpy_bytes_per_s);
  if (results[0].has_copies_there()) {
    row.set_copies_there(MedianOf(results, &RoundResult::copies_there));
    row.set_copies_back(MedianOf(results, &RoundResult::copies_back));
  }
  return row;
}

absl::StatusOr<std::vector<Row>> MeasureInRounds(absl::Span<PairGroup* const> groups,
                                                 const Case& what, const Effort& effort) {
  Request request;
  *request.mutable_round()->mutable_what() = what;
  request.mutable_round()->set_seconds(effort.seconds);
  request.mutable_round()->set_calls(effort.calls);
  request.mutable_round()->set_count_syscalls(effort.count_syscalls);
  // Generous, because it is for calls that hang, not for slow machines.
  const absl::Duration timeout = absl::Seconds(2 * effort.seconds) + absl::Seconds(60) +
                                 absl::Milliseconds(100) * effort.calls;

  constexpr double kMemcpySeconds = 0.02;
  std::vector<std::vector<RoundResult>> results(groups.size());
  std::vector<double> memcpy_rates;
  for (int round = 0; round < effort.rounds; ++round) {
    memcpy_rates.push_back(MemcpyBytesPerSecond(what.size_bytes(), kMemcpySeconds));
    for (size_t i = 0; i < groups.size(); ++i) {
      absl::StatusOr<RoundResult> result = RunRound(*groups[i], request, timeout);
      if (!result.ok()) return result.status();
      results[i].push_back(*std::move(result));
    }
  }
  std::vector<Row> rows;
  for (size_t i = 0; i < groups.size(); ++i) {
    rows.push_back(MakeRow(groups[i]->front()->path(), what, results[i], Median(memcpy_rates)));
    rows.back().set_pairs(groups[i]->size());
  }
  return rows;
}

}  // namespace grpc_cxl::bench
