#include "bench/experiments/blocked.h"

#include <memory>

#include "absl/time/time.h"

namespace grpc_cxl::bench {

absl::StatusOr<HandlerBlocked> MeasureBlocked(const ProcessPairOptions& options, int times,
                                              double seconds) {
  absl::StatusOr<std::unique_ptr<ProcessPair>> pair = ProcessPair::Start(options);
  if (!pair.ok()) return pair.status();
  Request request;
  request.mutable_blocking_handler()->set_times(times);
  request.mutable_blocking_handler()->set_seconds(seconds);
  const absl::StatusOr<Reply> reply =
      (*pair)->Ask(request, absl::Seconds(60) + 2 * times * absl::Seconds(seconds));
  if (!reply.ok()) return reply.status();
  return reply->handler_blocked();
}

}  // namespace grpc_cxl::bench
