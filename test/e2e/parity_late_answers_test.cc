// SPDX-License-Identifier: Apache-2.0

// An answer that comes when its caller has given up never reaches the next call in its slot. The
// environment variable LATE_ANSWERS_CALLS sets how many calls are made (a million: some minutes).

#include <grpc/event_engine/event_engine.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "test/e2e/parity.h"

namespace grpc_cxl::e2e {
namespace {

constexpr int kCallers = 64;  // as many as there are slots
constexpr int kMostDeadlineMs = 160;

// Answers with the request's payload after 0 to 2 deadlines, which no thread waits for.
class LateEcho final : public Echo::CallbackService {
 public:
  std::atomic<int> deadline_ms{5};

 private:
  grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* context, const EchoRequest* request,
                                  EchoResponse* response) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    const auto delay = std::chrono::microseconds((next_ += 1237) % (2000 * deadline_ms));
    engine_->RunAfter(delay, [=] {
      response->set_payload(request->payload());
      reactor->Finish(grpc::Status::OK);
    });
    return reactor;
  }

  const std::shared_ptr<grpc_event_engine::experimental::EventEngine> engine_ =
      grpc_event_engine::experimental::GetDefaultEventEngine();
  std::atomic<unsigned> next_{0};
};

int CallsToMake() {
  int calls = 0;
  const char* const wish = std::getenv("LATE_ANSWERS_CALLS");
  return wish != nullptr && absl::SimpleAtoi(wish, &calls) ? calls : 15'000;
}

TEST(ParityLateAnswersTest, NeverReachAnotherCall) {
  const auto transport = Transport::Make(TransportKind::kCxlDirect);
  LateEcho service;
  const auto server = Serve(*transport, [&](auto* builder) { builder->RegisterService(&service); });
  const auto channel = MakeChannel(*transport);
  Connect(*channel);
  const auto stub = Echo::NewStub(channel);
  const Paths paths;
  const int calls = CallsToMake();
  std::atomic<int> next{0}, answered{0}, late{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&, i] {
      for (int number; (number = next++) < calls;) {
        // A slow machine needs longer ones, if any calls are to be answered in time.
        if (number % 500 == 499 && answered < number / 10) {
          service.deadline_ms = std::min(2 * service.deadline_ms.load(), kMostDeadlineMs);
        }
        // Every 50th in a block. A fourth of the callers leaves its calls to the polling thread.
        ClientCall call{.api = i % 4 == 0 ? ClientApi::kCallback : ClientApi::kSync,
                        .prepare = WithDeadline(absl::Milliseconds(service.deadline_ms.load()))};
        call.requests[0].set_payload(
            absl::StrCat(number, std::string(number % 50 == 0 ? 20'000 : number % 100, 'x')));
        const Outcome outcome = Perform(stub.get(), call);
        if (outcome.status.ok()) {
          ++answered;
          ASSERT_EQ(outcome.responses[0].payload(), call.requests[0].payload());
        } else {
          ++late;
          ASSERT_EQ(outcome.status.error_code(), grpc::DEADLINE_EXCEEDED) << outcome;
        }
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_GT(answered, calls / 50);
  EXPECT_GT(late, calls / 50);
  EXPECT_GT(paths.direct(), static_cast<uint64_t>(calls) / 10);
  grpc_cxl::Shutdown(*server);
}

}  // namespace
}  // namespace grpc_cxl::e2e
