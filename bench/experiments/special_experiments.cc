#include "bench/experiments/special_experiments.h"

#include <cstdint>
#include <cstdio>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "bench/experiments/blocked.h"
#include "bench/experiments/faults.h"
#include "bench/experiments/idle.h"
#include "bench/report/table.h"

namespace grpc_cxl::bench {

absl::Status PrintFaults(absl::Span<const ProcessPairOptions> contenders, int times) {
  absl::PrintF(
      "The server is killed (SIGKILL) under 100 calls in flight; medians of %d times, in "
      "milliseconds\n\n",
      times);
  std::fflush(stdout);
  Table table({"transport", "wait", "all calls ended", "UNAVAILABLE", "new server after",
               "found again after"},
              2);
  for (const ProcessPairOptions& contender : contenders) {
    const absl::StatusOr<FaultTimes> took = MeasureFaults(contender, times);
    if (!took.ok()) return took.status();
    table.AddRow(
        {contender.transport, contender.wait, absl::StrFormat("%.1f", took->calls_ended_ms),
         absl::StrCat(took->unavailable, " of ", took->calls),
         absl::StrFormat("%.1f", took->down_ms), absl::StrFormat("%.1f", took->found_again_ms)});
  }
  absl::PrintF("%s", table.ToString());
  return absl::OkStatus();
}

absl::Status PrintBlocking(absl::Span<const ProcessPairOptions> contenders, int times) {
  constexpr double kSleepSeconds = 1;
  absl::PrintF(
      "64-byte calls while a handler sleeps for %.0f s on the thread that it was called on; "
      "medians of %d times, in microseconds\n\n",
      kSleepSeconds, times);
  std::fflush(stdout);
  Table table({"transport", "wait", "service", "p50 alone", "p50 meanwhile", "longest meanwhile"},
              3);
  for (const ProcessPairOptions& contender : contenders) {
    const absl::StatusOr<HandlerBlocked> blocked = MeasureBlocked(contender, times, kSleepSeconds);
    if (!blocked.ok()) return blocked.status();
    table.AddRow({contender.transport, contender.wait, contender.service_api,
                  absl::StrFormat("%.1f", blocked->alone_p50_us()),
                  absl::StrFormat("%.1f", blocked->p50_us()),
                  absl::StrFormat("%.1f", blocked->longest_us())});
  }
  absl::PrintF("%s", table.ToString());
  return absl::OkStatus();
}

absl::Status PrintParts(absl::Span<const ProcessPairOptions> contenders) {
  constexpr uint32_t kCalls = 20'000;
  absl::PrintF(
      "Where the time of 64-byte calls goes: from the stub to the handler, in it, and back to "
      "the caller; medians of %d calls, in microseconds\n\n",
      kCalls);
  Table table({"transport", "wait", "service", "there", "handler", "back"}, 3);
  Request request;
  request.mutable_latency_breakdown()->set_size_bytes(64);
  request.mutable_latency_breakdown()->set_calls(kCalls);
  for (const ProcessPairOptions& contender : contenders) {
    const absl::StatusOr<std::unique_ptr<ProcessPair>> pair = ProcessPair::Start(contender);
    if (!pair.ok()) return pair.status();
    const absl::StatusOr<Reply> reply = (*pair)->Ask(request, absl::Minutes(2));
    if (!reply.ok()) return reply.status();
    const BrokenDown& parts = reply->broken_down();
    table.AddRow({contender.transport, contender.wait, contender.service_api,
                  absl::StrFormat("%.1f", parts.there_us()),
                  absl::StrFormat("%.1f", parts.handler_us()),
                  absl::StrFormat("%.1f", parts.back_us())});
  }
  absl::PrintF("%s", table.ToString());
  return absl::OkStatus();
}

absl::Status PrintIdle(absl::Span<const ProcessPairOptions> contenders, int connections) {
  constexpr double kSeconds = 5;
  absl::PrintF(
      "CPU time of processes that make no call, in milliseconds a second, without and "
      "with %d connections\n\n",
      connections);
  Table table({"transport", "wait", "server without", "with", "client without", "with"}, 2);
  for (const ProcessPairOptions& contender : contenders) {
    const absl::StatusOr<IdleCost> cost = MeasureIdle(contender, connections, kSeconds);
    if (!cost.ok()) return cost.status();
    table.AddRow({contender.transport, contender.wait, absl::StrFormat("%.2f", cost->server_before),
                  absl::StrFormat("%.2f", cost->server_after),
                  absl::StrFormat("%.2f", cost->client_before),
                  absl::StrFormat("%.2f", cost->client_after)});
  }
  absl::PrintF("%s", table.ToString());
  return absl::OkStatus();
}

}  // namespace grpc_cxl::bench
