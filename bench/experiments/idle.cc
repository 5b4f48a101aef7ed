// SPDX-License-Identifier: Apache-2.0
#include "bench/experiments/idle.h"

#include <algorithm>
#include <memory>

#include "bench/harness/process_pair.h"

namespace grpc_cxl::bench {
namespace {

absl::StatusOr<Rested> RestFor(ProcessPair& pair, double seconds) {
  Request request;
  request.mutable_rest()->set_seconds(seconds);
  const absl::StatusOr<Reply> reply = pair.Ask(request, absl::Seconds(seconds + 30));
  if (!reply.ok()) return reply.status();
  return reply->rested();
}

}  // namespace

// Starting and connecting leave timers behind, and threads that go to sleep.
absl::StatusOr<Rested> RestWhenSettled(ProcessPair& pair, double seconds) {
  const auto settled = RestFor(pair, std::min(2.0, seconds));
  if (!settled.ok()) return settled.status();
  return RestFor(pair, seconds);
}

absl::StatusOr<IdleCost> MeasureIdle(const ProcessPairOptions& options, int connections,
                                     double seconds) {
  absl::StatusOr<std::unique_ptr<ProcessPair>> pair = ProcessPair::Start(options);
  if (!pair.ok()) return pair.status();
  const absl::StatusOr<Rested> before = RestWhenSettled(**pair, seconds);
  if (!before.ok()) return before.status();

  Request open;
  open.mutable_open_connections()->set_count(connections);
  const absl::StatusOr<Reply> opened =
      (*pair)->Ask(open, absl::Seconds(60) + absl::Milliseconds(100) * connections);
  if (!opened.ok()) return opened.status();
  const absl::StatusOr<Rested> after = RestWhenSettled(**pair, seconds);
  if (!after.ok()) return after.status();
  return IdleCost{before->server_cpu_ms() / seconds, before->client_cpu_ms() / seconds,
                  after->server_cpu_ms() / seconds, after->client_cpu_ms() / seconds};
}

}  // namespace grpc_cxl::bench
