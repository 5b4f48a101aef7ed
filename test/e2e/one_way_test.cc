// SPDX-License-Identifier: Apache-2.0

// Calls of DoNotWait(): they return before their handler does, run once, and leave nothing behind.

#include "grpc_cxl/one_way.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/event_engine/status_snapshot.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/echo_call.h"
#include "test/e2e/lambda_server.h"
#include "test/e2e/parity.h"

namespace grpc_cxl::e2e {
namespace {

using internal::Eventually;

grpc::Status SendOneWay(Echo::Stub& stub, const std::string& payload,
                        absl::Duration timeout = absl::Seconds(30)) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  DoNotWait(&context);
  EchoRequest request;
  request.set_payload(payload);
  EchoResponse response;
  return stub.Unary(&context, request, &response);
}

// A server that counts how often it has run each number, with answers of `response_bytes`.
class CountingServer {
 public:
  explicit CountingServer(const Transport& transport, size_t response_bytes = 0)
      : server_(transport, [this, response_bytes](auto* context, const EchoRequest& request,
                                                  EchoResponse* response) {
          for (const auto& [key, value] : context->client_metadata()) {
            EXPECT_NE(key, "cxl-one-way");
          }
          response->set_payload(std::string(response_bytes, 'r'));
          absl::MutexLock lock(mu_);
          ++runs_[std::stoi(request.payload())];
          return grpc::Status::OK;
        }) {}

  size_t different() {
    absl::MutexLock lock(mu_);
    return runs_.size();
  }
  bool ran_twice() {
    absl::MutexLock lock(mu_);
    for (const auto& [number, times] : runs_) {
      if (times > 1) return true;
    }
    return false;
  }

 private:
  absl::Mutex mu_;
  std::map<int, int> runs_ ABSL_GUARDED_BY(mu_);
  LambdaServer server_;
};

TEST(OneWayTest, ReturnsBeforeTheHandlerDoes) {
  const auto transport = Transport::Make(TransportKind::kCxlDirect);
  absl::Notification returned, ran;
  LambdaServer server(*transport, [&](auto*, const EchoRequest& request, auto*) {
    if (request.payload() == "wait") {
      returned.WaitForNotification();
      ran.Notify();
    }
    return grpc::Status::OK;
  });
  const auto channel = MakeChannel(*transport);
  const auto stub = Echo::NewStub(channel);
  Connect(*channel);
  const Paths paths;
  grpc::ClientContext context;
  DoNotWait(&context);
  EchoRequest request;
  request.set_payload("wait");
  EchoResponse response;
  response.set_payload("as it was");
  EXPECT_TRUE(stub->Unary(&context, request, &response).ok());
  EXPECT_EQ(response.payload(), "as it was");
  returned.Notify();
  ran.WaitForNotification();
  EXPECT_EQ(paths(&DirectCallStats::one_way), 1u);
  EXPECT_EQ(paths(&DirectCallStats::one_way_background), 0u);
  EXPECT_EQ(paths.direct(), 0u);
  std::map<uint32_t, uint64_t> by_side;
  for (const auto& connection : internal::TakeStatusSnapshot().connections) {
    by_side[connection.side] += connection.one_way_calls;
  }
  EXPECT_EQ(by_side, (std::map<uint32_t, uint64_t>{{0, 1}, {1, 1}}));
}

// More than there are slots, in buffers and in blocks, with answers that would need blocks; and
// calls between them that do wait.
TEST(OneWayTest, EachRunsOnceAndNothingIsLeft) {
  const auto transport = Transport::Make(TransportKind::kCxlDirect);
  const Paths paths;
  constexpr int kThreads = 4, kEach = 1000;
  {
    CountingServer server(*transport, /*response_bytes=*/50'000);
    const auto channel = MakeChannel(*transport);
    const auto stub = Echo::NewStub(channel);
    Connect(*channel);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          // Leading zeros make it large.
          std::string number = std::to_string(t * kEach + i);
          if (i % 10 == 0) number.insert(0, 20'000, '0');
          if (i % 100 != 99) {
            ASSERT_TRUE(SendOneWay(*stub, number).ok());
            continue;
          }
          ClientCall waits;
          waits.requests[0].set_payload(number);
          const Outcome outcome = Perform(stub.get(), waits);
          ASSERT_TRUE(outcome.status.ok()) << outcome;
          ASSERT_EQ(outcome.responses[0].payload().size(), 50'000u);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(Eventually([&] { return server.different() == kThreads * kEach; }))
        << server.different();
    EXPECT_FALSE(server.ran_twice());
  }
  EXPECT_GT(paths(&DirectCallStats::one_way), 0u);  // the others found few free slots
  EXPECT_EQ(paths(&DirectCallStats::one_way_failed), 0u);
  ExpectNothingLent();
}

TEST(OneWayTest, InTheBackgroundWithoutAConnection) {
  const auto transport = Transport::Make(TransportKind::kCxlDirect);
  const auto stub = Echo::NewStub(MakeChannel(*transport));
  Paths paths;
  EXPECT_TRUE(SendOneWay(*stub, "1").ok());  // nobody serves
  EXPECT_TRUE(Eventually([&] { return paths(&DirectCallStats::one_way_failed) == 1; }));
  EXPECT_EQ(paths(&DirectCallStats::one_way_background), 1u);
  CountingServer server(*transport);
  EXPECT_TRUE(Eventually([&] {  // gRPC backs off for a while
    EXPECT_TRUE(
        SendOneWay(*stub, std::to_string(absl::ToUnixMillis(absl::Now()) % 1'000'000)).ok());
    return server.different() > 0;
  }));
}

// Servers come and go; what they had not taken runs with another.
TEST(OneWayTest, RunsAtMostOnceWhenServersGo) {
  const auto transport = Transport::Make(TransportKind::kCxlDirect);
  std::atomic<bool> done{false};
  std::atomic<int> sent{0};
  absl::Mutex mu;
  std::map<std::string, int> runs;
  const auto handler = [&](auto*, const EchoRequest& request, auto*) {
    absl::MutexLock lock(mu);
    ++runs[request.payload()];
    return grpc::Status::OK;
  };
  auto server = std::make_unique<LambdaServer>(*transport, handler);
  const auto channel = MakeChannel(*transport);
  Connect(*channel);
  std::thread sender([&] {
    const auto stub = Echo::NewStub(channel);
    while (!done) {
      SendOneWay(*stub, std::to_string(sent++), absl::Seconds(5));
      if (sent % 100 == 0) absl::SleepFor(absl::Milliseconds(1));
    }
  });
  for (int i = 0; i < 5; ++i) {
    const int before = sent;
    EXPECT_TRUE(Eventually([&] { return sent > before + 500; }));
    server.reset();
    server = std::make_unique<LambdaServer>(*transport, handler);
  }
  done = true;
  sender.join();
  absl::MutexLock lock(mu);
  EXPECT_GT(runs.size(), 100u);
  for (const auto& [number, times] : runs) EXPECT_EQ(times, 1) << number;
}

TEST(OneWayTest, WaitsWhenTooManyAreUnderWay) {
  EchoPair pair(TransportKind::kCxlDirect);
  Connect(*pair.channel);
  constexpr int kCertain = 64 * 3 / 4, kMost = 512;
  grpc::Status status;
  int i = 0;
  for (; i <= kMost; ++i) {
    ClientCall call = CallThatWaitsAtGate();
    call.prepare = [i](grpc::ClientContext* context) {
      const absl::Duration timeout = i < kCertain ? absl::Minutes(5) : absl::Seconds(2);
      context->set_deadline(absl::ToChronoTime(absl::Now() + timeout));
      DoNotWait(context);
    };
    status = pair.Run(call).status;
    if (!status.ok()) break;
  }
  EXPECT_EQ(status.error_code(), grpc::DEADLINE_EXCEEDED) << status.error_message();
  EXPECT_GE(i, kCertain);
  pair.server->control().OpenGate();
}

}  // namespace
}  // namespace grpc_cxl::e2e
