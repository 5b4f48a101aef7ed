// SPDX-License-Identifier: Apache-2.0
#include "bench/experiments/faults.h"

#include <memory>
#include <utility>
#include <vector>

#include "bench/harness/control.pb.h"
#include "bench/harness/process_pair.h"
#include "bench/roles/measure.h"

namespace grpc_cxl::bench {
namespace {

constexpr int kCalls = 100;
constexpr absl::Duration kTimeout = absl::Seconds(60);

struct OneFault {
  ServerKilled killed;
  double found_again_ms = 0;
  double down_ms = 0;
};

absl::StatusOr<OneFault> KillAndRestart(ProcessPairOptions options) {
  options.client_role = "fault_client";
  absl::StatusOr<std::unique_ptr<ProcessPair>> pair = ProcessPair::Start(options);
  if (!pair.ok()) return pair.status();

  Request kill;
  kill.mutable_kill_server()->set_calls(kCalls);
  kill.mutable_kill_server()->set_server_pid((*pair)->server_pid());
  if (absl::Status sent = (*pair)->Send(kill); !sent.ok()) return sent;
  const absl::StatusOr<Reply> killed = (*pair)->Receive(kTimeout);
  if (!killed.ok()) return killed.status();

  // The client already calls when the new server starts to listen.
  Request call;
  call.mutable_call_until_ok();
  if (absl::Status sent = (*pair)->Send(call); !sent.ok()) return sent;
  const absl::StatusOr<ServerStarted> started = (*pair)->StartServer();
  if (!started.ok()) return started.status();
  const absl::StatusOr<Reply> answered = (*pair)->Receive(kTimeout);
  if (!answered.ok()) return answered.status();

  OneFault fault;
  fault.killed = killed->server_killed();
  fault.found_again_ms = (answered->call_was_ok().at_ns() - started->listening_ns()) / 1e6;
  fault.down_ms = (started->listening_ns() - fault.killed.at_ns()) / 1e6;
  return fault;
}

}  // namespace

absl::StatusOr<FaultTimes> MeasureFaults(const ProcessPairOptions& options, int rounds) {
  FaultTimes times;
  std::vector<double> calls_ended, found_again, down;
  for (int round = 0; round < rounds; ++round) {
    const absl::StatusOr<OneFault> fault = KillAndRestart(options);
    if (!fault.ok()) return fault.status();
    calls_ended.push_back(fault->killed.last_call_ms());
    found_again.push_back(fault->found_again_ms);
    down.push_back(fault->down_ms);
    times.calls += kCalls;
    times.unavailable += fault->killed.unavailable();
  }
  times.calls_ended_ms = Median(std::move(calls_ended));
  times.found_again_ms = Median(std::move(found_again));
  times.down_ms = Median(std::move(down));
  return times;
}

}  // namespace grpc_cxl::bench
