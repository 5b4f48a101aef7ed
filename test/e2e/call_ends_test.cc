// SPDX-License-Identifier: Apache-2.0

// Cancellation and deadlines work as they do on TCP, for both sides: the caller gets its
// status, the handler sees that the call is cancelled, and a call that has ended before it
// starts reaches no handler. A stream that is simply dropped counts as cancelled.

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "test/e2e/calls_fixture.h"

namespace grpc_cxl::e2e {
namespace {

// Every handler that was reached has seen its call cancelled.
void ExpectAllCancelled(const ServiceControl& control) {
  EXPECT_TRUE(control.Await([](const auto& counts) { return counts.started == counts.finished; }));
  EXPECT_EQ(control.counts().cancelled, control.counts().finished);
  EXPECT_GT(control.counts().cancelled, 0);
}

class CallEndsTest : public EveryCall {};

TEST_P(CallEndsTest, CancelledByTheClient) {
  ClientCall call = NewCall();
  call.requests[0].mutable_script()->set_wait_at_gate(true);
  grpc::ClientContext* context = nullptr;
  call.prepare = [&context](grpc::ClientContext* its) { context = its; };
  absl::Notification cancelled;  // the context must outlive TryCancel()
  call.conclude = [&cancelled] { cancelled.WaitForNotification(); };
  Outcome outcome;
  std::thread caller([&] { outcome = pair_.Run(call); });
  EXPECT_TRUE(pair_.control().AwaitAtGate(1));
  context->TryCancel();  // `context` was set before the handler could be reached
  cancelled.Notify();
  caller.join();
  EXPECT_EQ(outcome.status.error_code(), grpc::CANCELLED) << outcome;
  EXPECT_EQ(outcome.status.error_message(), "CANCELLED");
  ExpectAllCancelled(pair_.control());
}

TEST_P(CallEndsTest, CancelledByTheServer) {
  EchoPair reference(TransportKind::kTcp, {.api = server_api()});
  ClientCall call = NewCall();
  call.requests[0].mutable_script()->set_cancel(true);
  const Outcome outcome = pair_.Run(call);
  EXPECT_EQ(outcome.status.error_code(), grpc::CANCELLED) << outcome;
  EXPECT_EQ(outcome.status.error_message(), reference.Run(call).status.error_message());
}

TEST_P(CallEndsTest, AtTheDeadline) {
  ClientCall call = NewCall();
  call.requests[0].mutable_script()->set_wait_at_gate(true);
  // On a busy machine the deadline may pass before the handler runs: be more patient then.
  for (absl::Duration patience = absl::Milliseconds(50); pair_.control().counts().at_gate == 0;
       patience *= 2) {
    ASSERT_LT(patience, absl::Minutes(1)) << "no handler was reached";
    call.prepare = WithDeadline(patience);
    const absl::Time start = absl::Now();
    const Outcome outcome = pair_.Run(call);
    EXPECT_EQ(outcome.status.error_code(), grpc::DEADLINE_EXCEEDED) << outcome;
    EXPECT_EQ(outcome.status.error_message(), "Deadline Exceeded");
    EXPECT_GE(absl::Now() - start, patience);
  }
  ExpectAllCancelled(pair_.control());
}

TEST_P(CallEndsTest, BeforeTheStart) {
  ClientCall call = NewCall();
  call.prepare = [](grpc::ClientContext* context) { context->TryCancel(); };
  EXPECT_EQ(pair_.Run(call).status.error_code(), grpc::CANCELLED);
  call.prepare = WithDeadline(-absl::Seconds(1));
  EXPECT_EQ(pair_.Run(call).status.error_code(), grpc::DEADLINE_EXCEEDED);
  EXPECT_EQ(pair_.control().counts().started, 0);
}

TEST_P(CallEndsTest, TheHandlerSeesTheDeadline) {
  ClientCall call = NewCall();
  for (EchoRequest& request : call.requests) request.mutable_script()->set_describe(true);
  const Outcome without = pair_.Run(call);
  ASSERT_FALSE(without.responses.empty()) << without;
  EXPECT_FALSE(without.responses[0].view().has_deadline_left_ms());

  call.prepare = WithDeadline(absl::Hours(1));
  const Outcome outcome = pair_.Run(call);
  ASSERT_FALSE(outcome.responses.empty()) << outcome;
  ASSERT_TRUE(outcome.responses[0].view().has_deadline_left_ms());
  // gRPC sends what is left in few digits, rounded up.
  EXPECT_NEAR(outcome.responses[0].view().deadline_left_ms(), 3'600'000, 120'000);
}

class DroppedStreamTest : public EveryTransport {};

TEST_P(DroppedStreamTest, IsCancelled) {
  EchoPair pair(GetParam());
  {
    EchoRequest request = CallOfSize(1000).requests[0];
    request.mutable_script()->set_response_count(1'000'000'000);
    grpc::ClientContext context;
    const auto reader = pair.stub->ServerStream(&context, request);
    EchoResponse response;
    EXPECT_TRUE(reader->Read(&response));
  }
  ExpectAllCancelled(pair.control());
}

INSTANTIATE_TEST_SUITE_P(Everywhere, CallEndsTest, EveryCombination(), ParamName());
INSTANTIATE_TEST_SUITE_P(Inline, CallEndsTest, EveryInlineCall(), ParamName());
INSTANTIATE_TEST_SUITE_P(Everywhere, DroppedStreamTest, ::testing::ValuesIn(kTestedTransports),
                         ParamName());

}  // namespace
}  // namespace grpc_cxl::e2e
