#include "bench/rounds.h"

#include <cmath>
#include <utility>

#include "absl/time/time.h"
#include "bench/measure.h"
#include "bench/memcpy_rate.h"

namespace grpc_cxl::bench {
namespace {

// The median of one field, to three decimals.
template <typename Field>
double MedianOf(const std::vector<RoundResult>& results, Field field) {
  std::vector<double> values;
  for (const RoundResult& result : results) values.push_back((result.*field)());
  return std::round(Median(std::move(values)) * 1000) / 1000;
}

Row MakeRow(const Path& path, const Case& what, const std::vector<RoundResult>& results,
            double memcpy_bytes_per_s) {
  Row row;
  row.set_transport(path.transport());
  row.set_api(what.api());
  row.set_size_bytes(what.size_bytes());
  row.set_concurrency(what.concurrency());
  row.set_wait(path.wait());
  row.set_p50_us(MedianOf(results, &RoundResult::p50_us));
  row.set_p99_us(MedianOf(results, &RoundResult::p99_us));
  row.set_calls_per_s(MedianOf(results, &RoundResult::calls_per_s));
  row.set_cpu_us_per_call(MedianOf(results, &RoundResult::cpu_us_per_call));
  row.set_page_faults_per_call(MedianOf(results, &RoundResult::page_faults_per_call));
  row.set_payload(what.payload());
  row.set_bytes_per_s(MedianOf(results, &RoundResult::bytes_per_s));
  row.set_memcpy_bytes_per_s(memcpy_bytes_per_s);
  if (results[0].has_copies_there()) {
    row.set_copies_there(MedianOf(results, &RoundResult::copies_there));
    row.set_copies_back(MedianOf(results, &RoundResult::copies_back));
  }
  return row;
}

}  // namespace

absl::StatusOr<std::vector<Row>> MeasureInRounds(absl::Span<const std::unique_ptr<Lane>> lanes,
                                                 const Case& what, const Effort& effort) {
  Request request;
  *request.mutable_round()->mutable_what() = what;
  request.mutable_round()->set_seconds(effort.seconds);
  request.mutable_round()->set_calls(effort.calls);
  // Generous: it is there for calls that hang, not for a machine that is slow.
  const absl::Duration timeout = absl::Seconds(2 * effort.seconds) + absl::Seconds(60) +
                                 absl::Milliseconds(100) * effort.calls;

  constexpr double kMemcpySeconds = 0.02;
  std::vector<std::vector<RoundResult>> results(lanes.size());
  std::vector<double> memcpy_rates;
  for (int round = 0; round < effort.rounds; ++round) {
    memcpy_rates.push_back(MemcpyBytesPerSecond(what.size_bytes(), kMemcpySeconds));
    for (size_t i = 0; i < lanes.size(); ++i) {
      absl::StatusOr<Reply> reply = lanes[i]->Ask(request, timeout);
      if (!reply.ok()) return reply.status();
      results[i].push_back(std::move(*reply->mutable_round_result()));
    }
  }
  std::vector<Row> rows;
  for (size_t i = 0; i < lanes.size(); ++i) {
    rows.push_back(MakeRow(lanes[i]->path(), what, results[i], Median(memcpy_rates)));
  }
  return rows;
}

}  // namespace grpc_cxl::bench
