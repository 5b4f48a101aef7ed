// SPDX-License-Identifier: Apache-2.0
#include "bench/experiments/special_experiments.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "bench/experiments/faults.h"
#include "bench/experiments/idle.h"
#include "bench/harness/control.pb.h"
#include "bench/report/table.h"

namespace grpc_cxl::bench {
namespace {

std::string Decimal(double value) { return absl::StrFormat("%.1f", value); }

absl::StatusOr<Reply> AskNewPair(const ProcessPairOptions& options, const Request& request,
                                 absl::Duration timeout) {
  const absl::StatusOr<std::unique_ptr<ProcessPair>> pair = ProcessPair::Start(options);
  if (!pair.ok()) return pair.status();
  return (*pair)->Ask(request, timeout);
}

}  // namespace

absl::Status PrintFaults(absl::Span<const ProcessPairOptions> contenders, int times) {
  absl::PrintF(
      "The server is killed (SIGKILL) while 100 calls are in flight; milliseconds, medians of "
      "%d times\n\n",
      times);
  std::fflush(stdout);
  Table table({"transport", "wait", "all calls ended", "UNAVAILABLE", "new server after",
               "found again after"},
              2);
  for (const ProcessPairOptions& contender : contenders) {
    const absl::StatusOr<FaultTimes> took = MeasureFaults(contender, times);
    if (!took.ok()) return took.status();
    table.AddRow({contender.transport, contender.wait, Decimal(took->calls_ended_ms),
                  absl::StrCat(took->unavailable, " of ", took->calls), Decimal(took->down_ms),
                  Decimal(took->found_again_ms)});
  }
  absl::PrintF("%s", table.ToString());
  return absl::OkStatus();
}

absl::Status PrintBlockingHandler(absl::Span<const ProcessPairOptions> contenders, int times) {
  constexpr double kSleepSeconds = 1;
  absl::PrintF(
      "64-byte calls while a handler sleeps for %.0f s on the thread that gRPC called it on; "
      "microseconds, medians of %d times\n\n",
      kSleepSeconds, times);
  std::fflush(stdout);
  Table table({"transport", "wait", "service", "p50 alone", "p50 meanwhile", "longest meanwhile"},
              3);
  Request request;
  request.mutable_blocking_handler()->set_times(times);
  request.mutable_blocking_handler()->set_seconds(kSleepSeconds);
  const absl::Duration timeout = absl::Seconds(60 + 2 * times * kSleepSeconds);
  for (const ProcessPairOptions& contender : contenders) {
    const absl::StatusOr<Reply> reply = AskNewPair(contender, request, timeout);
    if (!reply.ok()) return reply.status();
    const HandlerBlocked& blocked = reply->handler_blocked();
    table.AddRow({contender.transport, contender.wait, contender.service_api,
                  Decimal(blocked.alone_p50_us()), Decimal(blocked.p50_us()),
                  Decimal(blocked.longest_us())});
  }
  absl::PrintF("%s", table.ToString());
  return absl::OkStatus();
}

absl::Status PrintLatencyBreakdown(absl::Span<const ProcessPairOptions> contenders,
                                   uint32_t calls) {
  absl::PrintF(
      "Parts of 64-byte calls: from the stub to the handler, in the handler, and back to the "
      "caller; microseconds, medians of %d calls\n\n",
      calls);
  std::fflush(stdout);
  Table table({"transport", "wait", "service", "there", "handler", "back"}, 3);
  Request request;
  request.mutable_latency_breakdown()->set_size_bytes(64);
  request.mutable_latency_breakdown()->set_calls(calls);
  for (const ProcessPairOptions& contender : contenders) {
    const absl::StatusOr<Reply> reply = AskNewPair(contender, request, absl::Minutes(2));
    if (!reply.ok()) return reply.status();
    const LatencyParts& parts = reply->latency_parts();
    table.AddRow({contender.transport, contender.wait, contender.service_api,
                  Decimal(parts.there_us()), Decimal(parts.handler_us()),
                  Decimal(parts.back_us())});
  }
  absl::PrintF("%s", table.ToString());
  return absl::OkStatus();
}

absl::Status PrintIdle(absl::Span<const ProcessPairOptions> contenders, int connections,
                       double seconds) {
  absl::PrintF(
      "CPU time of idle processes without and with %d connections, milliseconds per second\n\n",
      connections);
  std::fflush(stdout);
  Table table({"transport", "wait", "server without", "with", "client without", "with"}, 2);
  for (const ProcessPairOptions& contender : contenders) {
    const absl::StatusOr<IdleCost> cost = MeasureIdle(contender, connections, seconds);
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
