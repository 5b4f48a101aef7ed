// Cancellation works as it does on TCP, from both sides: the caller gets CANCELLED, the
// handler sees it, and a stream that is simply dropped counts as cancelled.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/synchronization/notification.h"
#include "test/e2e/calls_fixture.h"

namespace grpc_cxl::e2e {
namespace {

class CancellationTest : public EveryCall {};

TEST_P(CancellationTest, ByTheClientReachesTheHandler) {
  ClientCall call = NewCall();
  call.requests[0].mutable_script()->set_wait_at_gate(true);
  grpc::ClientContext* context = nullptr;
  call.prepare = [&context](grpc::ClientContext* its) { context = its; };
  absl::Notification cancelled;  // the context must outlive TryCancel()
  call.conclude = [&cancelled] { cancelled.WaitForNotification(); };
  Outcome outcome;
  std::thread caller([&] { outcome = pair_.Run(call); });
  EXPECT_TRUE(pair_.control().Await([](const auto& counts) { return counts.at_gate == 1; }));
  context->TryCancel();  // `context` was set before the handler could be reached
  cancelled.Notify();
  caller.join();
  EXPECT_EQ(outcome.status.error_code(), grpc::CANCELLED) << outcome;
  EXPECT_EQ(outcome.status.error_message(), "CANCELLED");
  EXPECT_TRUE(pair_.control().Await([](const auto& counts) { return counts.finished == 1; }));
  EXPECT_EQ(pair_.control().counts().cancelled, 1);
}

TEST_P(CancellationTest, BeforeTheStartReachesNoHandler) {
  ClientCall call = NewCall();
  call.prepare = [](grpc::ClientContext* context) { context->TryCancel(); };
  const Outcome outcome = pair_.Run(call);
  EXPECT_EQ(outcome.status.error_code(), grpc::CANCELLED) << outcome;
  EXPECT_EQ(pair_.control().counts().started, 0);
}

TEST_P(CancellationTest, ByTheServerReachesTheClient) {
  EchoPair reference(TransportKind::kTcp, {.api = server_api()});
  ClientCall call = NewCall();
  call.requests[0].mutable_script()->set_cancel(true);
  const Outcome outcome = pair_.Run(call);
  EXPECT_EQ(outcome.status.error_code(), grpc::CANCELLED) << outcome;
  EXPECT_EQ(outcome.status.error_message(), reference.Run(call).status.error_message());
}

class DroppedStreamTest : public EveryTransport {};

TEST_P(DroppedStreamTest, IsCancelledForItsHandler) {
  EchoPair pair(GetParam());
  {
    grpc::ClientContext context;
    EchoRequest request;
    request.mutable_script()->set_response_count(1'000'000'000);
    request.set_payload(std::string(1000, 'x'));
    const auto reader = pair.stub->ServerStream(&context, request);
    EchoResponse response;
    EXPECT_TRUE(reader->Read(&response));
  }
  EXPECT_TRUE(pair.control().Await([](const auto& counts) { return counts.finished == 1; }));
  EXPECT_EQ(pair.control().counts().cancelled, 1);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, CancellationTest, EveryCombination(), CallName);
INSTANTIATE_TEST_SUITE_P(Everywhere, DroppedStreamTest, ::testing::ValuesIn(kTestedTransports),
                         TransportName);

}  // namespace
}  // namespace grpc_cxl::e2e
