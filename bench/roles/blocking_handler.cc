// SPDX-License-Identifier: Apache-2.0
#include "bench/roles/blocking_handler.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/roles/echo_caller.h"
#include "bench/roles/measure.h"

namespace grpc_cxl::bench {
namespace {

using Clock = std::chrono::steady_clock;

// Calls one after the other while `go_on` returns true; returns their latencies in microseconds.
absl::StatusOr<std::vector<double>> CallWhile(Caller& caller, const std::function<bool()>& go_on) {
  std::vector<double> latencies_us;
  while (go_on()) {
    const Clock::time_point start = Clock::now();
    if (const grpc::Status status = caller.Call(); !status.ok()) return CallFailed(status);
    latencies_us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  }
  return latencies_us;
}

grpc::Status Block(Echo::Stub& stub, double seconds) {
  grpc::ClientContext context;
  Payload request, response;
  request.set_data(absl::StrCat(static_cast<int>(seconds * 1e3)));
  return stub.Sleep(&context, request, &response);
}

}  // namespace

absl::StatusOr<HandlerBlocked> MeasureBlockingHandler(std::shared_ptr<grpc::Channel> channel,
                                                      const BlockingHandler& what) {
  Case small;
  small.set_size_bytes(64);
  const std::unique_ptr<Caller> caller = MakeEchoCaller(channel, small);
  const std::unique_ptr<Echo::Stub> blocker = Echo::NewStub(channel);
  int calls = 2000;
  absl::StatusOr<std::vector<double>> alone = CallWhile(*caller, [&] { return calls-- > 0; });
  if (!alone.ok()) return alone.status();
  std::vector<double> others, longest;
  for (uint32_t i = 0; i < what.times(); ++i) {
    std::atomic<bool> over{false};
    grpc::Status blocked;
    std::thread thread([&] {
      blocked = Block(*blocker, what.seconds());
      over = true;
    });
    absl::StatusOr<std::vector<double>> meanwhile = CallWhile(*caller, [&] { return !over; });
    thread.join();
    if (!blocked.ok()) return CallFailed(blocked);
    if (!meanwhile.ok()) return meanwhile.status();
    longest.push_back(*std::max_element(meanwhile->begin(), meanwhile->end()));
    others.insert(others.end(), meanwhile->begin(), meanwhile->end());
  }
  HandlerBlocked result;
  result.set_alone_p50_us(Median(*std::move(alone)));
  result.set_p50_us(Median(std::move(others)));
  result.set_longest_us(Median(std::move(longest)));
  return result;
}

}  // namespace grpc_cxl::bench
