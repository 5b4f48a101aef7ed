// Deadlines work as they do on TCP: they end the call for both sides, they are seen by
// the handler, and one that has passed lets nothing through.

#include <gtest/gtest.h>

#include <chrono>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "test/e2e/calls_fixture.h"

namespace grpc_cxl::e2e {
namespace {

class DeadlineTest : public EveryCall {
 protected:
  static void SetDeadline(ClientCall* call, absl::Duration from_now) {
    call->prepare = [from_now](grpc::ClientContext* context) {
      context->set_deadline(absl::ToChronoTime(absl::Now() + from_now));
    };
  }
};

TEST_P(DeadlineTest, EndsTheCallOnBothSides) {
  ClientCall call = NewCall();
  call.requests[0].mutable_script()->set_wait_at_gate(true);
  // On a busy machine the deadline may pass before the handler runs: be more patient then.
  for (absl::Duration patience = absl::Milliseconds(50); pair_.control().counts().at_gate == 0;
       patience *= 2) {
    ASSERT_LT(patience, absl::Minutes(1)) << "no handler was reached";
    SetDeadline(&call, patience);
    const absl::Time start = absl::Now();
    const Outcome outcome = pair_.Run(call);
    EXPECT_EQ(outcome.status.error_code(), grpc::DEADLINE_EXCEEDED) << outcome;
    EXPECT_EQ(outcome.status.error_message(), "Deadline Exceeded");
    EXPECT_GE(absl::Now() - start, patience);
  }
  EXPECT_TRUE(
      pair_.control().Await([](const auto& counts) { return counts.started == counts.finished; }));
  const ServiceControl::Counts counts = pair_.control().counts();
  EXPECT_EQ(counts.cancelled, counts.finished);
}

TEST_P(DeadlineTest, IsSeenByTheHandler) {
  ClientCall call = NewCall();
  for (EchoRequest& request : call.requests) request.mutable_script()->set_describe(true);
  SetDeadline(&call, absl::Hours(1));
  const Outcome outcome = pair_.Run(call);
  ASSERT_FALSE(outcome.responses.empty()) << outcome;
  const CallView& view = outcome.responses[0].view();
  ASSERT_TRUE(view.has_deadline_left_ms());
  // gRPC sends what is left in few digits, rounded up.
  EXPECT_LE(view.deadline_left_ms(), absl::ToInt64Milliseconds(absl::Minutes(62)));
  EXPECT_GT(view.deadline_left_ms(), absl::ToInt64Milliseconds(absl::Minutes(58)));

  call.prepare = nullptr;
  const Outcome without = pair_.Run(call);
  ASSERT_FALSE(without.responses.empty()) << without;
  EXPECT_FALSE(without.responses[0].view().has_deadline_left_ms());
}

TEST_P(DeadlineTest, ThatHasPassedReachesNoHandler) {
  ClientCall call = NewCall();
  SetDeadline(&call, -absl::Seconds(1));
  const Outcome outcome = pair_.Run(call);
  EXPECT_EQ(outcome.status.error_code(), grpc::DEADLINE_EXCEEDED) << outcome;
  EXPECT_EQ(pair_.control().counts().started, 0);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, DeadlineTest, EveryCombination(), CallName);

}  // namespace
}  // namespace grpc_cxl::e2e
