// SPDX-License-Identifier: Apache-2.0
#include "bench/roles/fault_client.h"

#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "bench/harness/answer_requests.h"
#include "bench/harness/control.pb.h"
#include "bench/harness/transport.h"
#include "bench/roles/echo.grpc.pb.h"

namespace grpc_cxl::bench {
namespace {

int64_t MonotonicNanoseconds() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// A call that the server has taken and never answers.
class HeldCall : public grpc::ClientReadReactor<Payload> {
 public:
  HeldCall(Echo::Stub& stub, absl::BlockingCounter& taken, absl::BlockingCounter& ended)
      : taken_(taken), ended_(ended) {
    stub.async()->Hold(&context_, &request_, this);
    StartRead(&response_);
    StartCall();
  }

  void OnReadInitialMetadataDone(bool) override { taken_.DecrementCount(); }

  void OnDone(const grpc::Status& status) override {
    ended_ns_ = MonotonicNanoseconds();
    status_ = status;
    ended_.DecrementCount();
  }

  // Valid once `ended` has counted this call.
  int64_t ended_ns() const { return ended_ns_; }
  const grpc::Status& status() const { return status_; }

 private:
  absl::BlockingCounter& taken_;
  absl::BlockingCounter& ended_;
  grpc::ClientContext context_;
  Payload request_, response_;
  int64_t ended_ns_ = 0;
  grpc::Status status_;
};

Reply KillUnderCalls(Echo::Stub& stub, const KillServer& order) {
  absl::BlockingCounter taken(order.calls()), ended(order.calls());
  std::vector<std::unique_ptr<HeldCall>> calls;
  for (uint32_t i = 0; i < order.calls(); ++i) {
    calls.push_back(std::make_unique<HeldCall>(stub, taken, ended));
  }
  taken.Wait();
  const int64_t killed_ns = MonotonicNanoseconds();
  kill(order.server_pid(), SIGKILL);
  ended.Wait();

  Reply reply;
  ServerKilled& killed = *reply.mutable_server_killed();
  killed.set_at_ns(killed_ns);
  for (const auto& call : calls) {
    const double after_ms = (call->ended_ns() - killed_ns) / 1e6;
    killed.set_last_call_ms(std::max(killed.last_call_ms(), after_ms));
    const bool unavailable = call->status().error_code() == grpc::StatusCode::UNAVAILABLE;
    killed.set_unavailable(killed.unavailable() + unavailable);
  }
  return reply;
}

// Makes plain calls, without wait_for_ready, until one succeeds.
absl::StatusOr<Reply> CallUntilAnswered(Echo::Stub& stub) {
  const absl::Time give_up = absl::Now() + absl::Seconds(30);
  for (;;) {
    grpc::ClientContext context;
    Payload payload, response;
    const grpc::Status status = stub.Call(&context, payload, &response);
    if (status.ok()) {
      Reply reply;
      reply.mutable_call_was_ok()->set_at_ns(MonotonicNanoseconds());
      return reply;
    }
    if (absl::Now() > give_up) {
      return absl::AbortedError(
          absl::StrCat("no call succeeded for 30 s; the last one: ", status.error_message()));
    }
    absl::SleepFor(absl::Milliseconds(1));
  }
}

}  // namespace

int FaultClientMain() {
  std::unique_ptr<Echo::Stub> stub;
  return AnswerRequests([&](const Request& request) -> absl::StatusOr<Reply> {
    switch (request.what_case()) {
      case Request::kStartClient:
        stub = Echo::NewStub(MakeChannel(request.start_client().path()));
        return CallUntilAnswered(*stub);
      case Request::kKillServer:
        return KillUnderCalls(*stub, request.kill_server());
      case Request::kCallUntilOk:
        return CallUntilAnswered(*stub);
      default:
        return absl::UnimplementedError("The client process of --faults does not do this.");
    }
  });
}

}  // namespace grpc_cxl::bench
