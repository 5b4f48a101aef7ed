// SPDX-License-Identifier: Apache-2.0

// A handler that makes a call to serve its own: client -> front -> back. The back sees the
// client's deadline, cancellation and trace.

#include <grpcpp/support/client_interceptor.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "grpc_cxl/client_context.h"
#include "test/e2e/lambda_server.h"
#include "test/e2e/parity.h"

namespace grpc_cxl::e2e {
namespace {

// Calls `on_cancel` where a call of the channel is told to cancel.
struct CancelInterceptor final : grpc::experimental::Interceptor {
  explicit CancelInterceptor(const std::function<void()>* on_cancel) : on_cancel(on_cancel) {}
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using grpc::experimental::InterceptionHookPoints;
    if (*on_cancel &&
        methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_CANCEL)) {
      (*on_cancel)();
    }
    methods->Proceed();
  }
  const std::function<void()>* const on_cancel;
};
struct CancelInterceptorFactory final : grpc::experimental::ClientInterceptorFactoryInterface {
  explicit CancelInterceptorFactory(const std::function<void()>* on_cancel)
      : on_cancel(on_cancel) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo*) override {
    return new CancelInterceptor(on_cancel);
  }
  const std::function<void()>* const on_cancel;
};

class ParityChainTest : public EveryTransport {
 protected:
  // Makes a call and cancels it when it has come to the back.
  void CancelAtTheBack() {
    Connect(*channel_);
    grpc::ClientContext* context = nullptr;
    ClientCall call = CallThatWaitsAtGate();
    call.prepare = [&context](grpc::ClientContext* made) { context = made; };
    absl::Notification cancelled;  // the context must outlive TryCancel()
    call.conclude = [&cancelled] { cancelled.WaitForNotification(); };
    std::thread caller(
        [&] { EXPECT_EQ(Perform(stub_.get(), call).status.error_code(), grpc::CANCELLED); });
    EXPECT_TRUE(back_.control().AwaitAtGate(1));
    context->TryCancel();
    cancelled.Notify();
    caller.join();
  }

  std::function<void()> on_cancel_;  // of the front's calls; set before they are made
  absl::Notification front_done_;    // its first handler's context has gone
  EchoPair back_{GetParam(), {}, {.interceptors = [this] {
                   Interceptors interceptors;
                   interceptors.push_back(std::make_unique<CancelInterceptorFactory>(&on_cancel_));
                   return interceptors;
                 }}};
  const std::unique_ptr<Transport> place_ = Transport::Make(GetParam());
  const LambdaServer front_{*place_, [this](grpc::CallbackServerContext* server,
                                            const EchoRequest& request, EchoResponse* response) {
                              auto context = ClientContextFor(*server);
                              const grpc::Status status =
                                  back_.stub->Unary(context.get(), request, response);
                              context.reset();
                              if (!front_done_.HasBeenNotified()) front_done_.Notify();
                              return status;
                            }};
  const std::shared_ptr<grpc::Channel> channel_ = MakeChannel(*place_);
  const std::unique_ptr<Echo::Stub> stub_ = Echo::NewStub(channel_);
};

TEST_P(ParityChainTest, DeadlineAndTraceGoOn) {
  Connect(*channel_);
  ClientCall call{.prepare = [](grpc::ClientContext* context) {
    WithDeadline(absl::Seconds(30))(context);
    context->AddMetadata("traceparent", "00-1-2-01");
    context->AddMetadata("private", "secret");
  }};
  call.requests[0].mutable_script()->set_describe(true);
  const Paths paths;
  const Outcome outcome = Perform(stub_.get(), call);
  ASSERT_TRUE(outcome.status.ok()) << outcome;
  const CallView& view = outcome.responses[0].view();
  EXPECT_GT(view.deadline_left_ms(), 1'000);
  EXPECT_LE(view.deadline_left_ms(), 31'000);  // HTTP/2 rounds up
  std::string seen;
  for (const CallView::Entry& entry : view.metadata()) absl::StrAppend(&seen, entry.key(), " ");
  EXPECT_TRUE(absl::StrContains(seen, "traceparent")) << seen;
  EXPECT_FALSE(absl::StrContains(seen, "private")) << seen;
  EXPECT_EQ(paths.direct(), GetParam() == TransportKind::kCxlDirect ? 2u : 0u);
}

TEST_P(ParityChainTest, DeadlineEndsTheBack) {
  Connect(*channel_);
  ClientCall call = CallThatWaitsAtGate();
  call.prepare = WithDeadline(absl::Milliseconds(100));
  EXPECT_EQ(Perform(stub_.get(), call).status.error_code(), grpc::DEADLINE_EXCEEDED);
  EXPECT_TRUE(back_.control().Await([](const auto& counts) { return counts.cancelled == 1; }));
}

TEST_P(ParityChainTest, CancellationEndsTheBack) {
  CancelAtTheBack();
  EXPECT_TRUE(back_.control().Await([](const auto& counts) { return counts.cancelled == 1; }));
}

// Cancelling runs the user's interceptors. A context goes while these run, and does not wait for
// them: they may wait for the handler.
TEST_P(ParityChainTest, ContextsGoWhileTheyAreCancelled) {
  on_cancel_ = [this] {
    back_.control().OpenGate();
    EXPECT_TRUE(front_done_.WaitForNotificationWithTimeout(absl::Seconds(10)));
  };
  CancelAtTheBack();
  EXPECT_TRUE(front_done_.WaitForNotificationWithTimeout(absl::Seconds(30)));
}

INSTANTIATE_TEST_SUITE_P(Everywhere, ParityChainTest, ::testing::ValuesIn(kMostTransports),
                         ParamName());

}  // namespace
}  // namespace grpc_cxl::e2e
