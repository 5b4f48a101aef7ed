// Proves what the engine adds to the one it decorates: cxl: names resolve, never from inside
// the call (gRPC holds a lock there), and other names go to the inner engine; closures that
// come up on a polling thread stay there while they are short and leave while they are long;
// everything else is the inner engine's.

#include "grpc_cxl/event_engine/cxl_engine.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "test/endpoint/endpoint_pair.h"
#include "test/event_engine/test_server.h"
#include "test/support/eventually.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using Addresses = absl::StatusOr<std::vector<EventEngine::ResolvedAddress>>;

std::string AbstractName(const EventEngine::ResolvedAddress& address) {
  const auto* un = reinterpret_cast<const sockaddr_un*>(address.address());
  if (un->sun_family != AF_UNIX || un->sun_path[0] != '\0') return "not an abstract name";
  return std::string(un->sun_path + 1, address.size() - offsetof(sockaddr_un, sun_path) - 1);
}

TEST(ResolverTest, NamesBecomeAbstractAddresses) {
  for (const char* target : {"cxl:///shop/payments", "cxl:/shop/payments", "cxl:shop/payments"}) {
    const auto address = Resolve(target);
    ASSERT_THAT(address, IsOk());
    EXPECT_EQ(AbstractName(*address), "cxl:///shop/payments");
  }
  // The longest name with the largest number still fits into an address.
  const std::string longest(80, 'n');
  const auto address = Resolve(absl::StrCat("cxl:///", longest, "?options=2147483647"));
  ASSERT_THAT(address, IsOk());
  EXPECT_EQ(AbstractName(*address), absl::StrCat("cxl:///", longest, "?options=2147483647"));
}

TEST(ResolverTest, WrongNamesAreRefusedWithTheReason) {
  for (const std::string target : {"cxl:///", "cxl:", "cxl:///a b", "cxl:///../x", "cxl:///a//b",
                                   "cxl://node3/payments", "cxl:///x?options=y"}) {
    EXPECT_THAT(Resolve(target).status(), StatusIs(absl::StatusCode::kInvalidArgument)) << target;
  }
  EXPECT_THAT(Resolve(absl::StrCat("cxl:///", std::string(81, 'n'))).status(),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

// gRPC calls with a mutex held that its callback takes.
TEST(ResolverTest, AnswersNeverComeFromInsideTheCall) {
  auto resolver = TestEngine()->GetDNSResolver({});
  ASSERT_THAT(resolver, IsOk());
  for (const char* target : {"cxl:///payments", "cxl:///not valid"}) {
    absl::Mutex mu;
    absl::Notification host, srv, txt;
    {
      absl::MutexLock lock(mu);
      (*resolver)->LookupHostname(
          [&](const Addresses&) {
            { absl::MutexLock inner(mu); }
            host.Notify();  // after it: `mu` goes with the turn of the loop
          },
          target, "https");
      (*resolver)->LookupSRV(
          [&](const absl::StatusOr<std::vector<EventEngine::DNSResolver::SRVRecord>>& records) {
            EXPECT_TRUE(records.ok() && records->empty());
            { absl::MutexLock inner(mu); }
            srv.Notify();  // after it: `mu` goes with the turn of the loop
          },
          target);
      (*resolver)->LookupTXT(
          [&](const absl::StatusOr<std::vector<std::string>>& records) {
            EXPECT_TRUE(records.ok() && records->empty());
            { absl::MutexLock inner(mu); }
            txt.Notify();  // after it: `mu` goes with the turn of the loop
          },
          target);
    }
    host.WaitForNotification();
    srv.WaitForNotification();
    txt.WaitForNotification();
  }
}

TEST(ResolverTest, OrdinaryNamesGoToTheInnerEngine) {
  const auto address = Resolve("127.0.0.1:4711");
  ASSERT_THAT(address, IsOk());
  EXPECT_EQ(address->address()->sa_family, AF_INET);
}

// A connection, so that there are polling threads to be on.
class CxlEngineTest : public ::testing::Test {
 protected:
  CxlEngineTest() {
    ServerOptions server_options;
    server_options.rendezvous_directory = directory_.path();
    ChannelOptions channel_options;
    channel_options.rendezvous_directory = directory_.path();
    CHECK_OK(server_.Bind("cxl:///payments", server_options));
    CHECK_OK(server_.listener().Start());
    client_ = *ConnectTo("cxl:///payments", channel_options);
    accepted_ = server_.Accept();
  }

  // Runs `body` in a callback of a read, on the polling thread, and waits for it.
  void OnPollingThread(absl::AnyInvocable<void()> body) {
    SliceBuffer buffer;
    Outcome outcome;
    ASSERT_FALSE(accepted_->Read(outcome.Callback(std::move(body)), &buffer, {}));
    ASSERT_THAT(WriteAll(*client_, "x"), IsOk());
    ASSERT_THAT(outcome.Wait(), IsOk());
  }

  // Whether closures from a polling thread stay on polling threads.
  bool ClosuresStay() {
    absl::Notification ran;
    bool stayed = false;
    OnPollingThread([&] {
      TestEngine()->Run([&] {
        stayed = TestEngine()->IsWorkerThread();
        ran.Notify();
      });
    });
    ran.WaitForNotification();
    return stayed;
  }

  void AwaitShortClosures() {
    int closures = 0;
    while (closures < 10'000 && !ClosuresStay()) ++closures;
    ASSERT_LT(closures, 10'000) << "short closures do not come back to the polling thread";
  }

  const TemporaryDirectory directory_;
  TestServer server_;
  std::unique_ptr<EventEngine::Endpoint> client_, accepted_;
};

TEST_F(CxlEngineTest, OnlyPollingThreadsAreWorkers) {
  EXPECT_FALSE(TestEngine()->IsWorkerThread());
  bool inside = false;
  OnPollingThread([&] { inside = TestEngine()->IsWorkerThread(); });
  EXPECT_TRUE(inside);
}

TEST_F(CxlEngineTest, ShortClosuresStayOnTheirThreadInOrder) {
  // The kernel may take the thread off its core in the middle, which makes another thread leader.
  bool in_order = false;
  for (int tries = 0; tries < 20 && !in_order; ++tries) {
    AwaitShortClosures();
    absl::Notification done;
    absl::Mutex mu;
    std::vector<int> order;
    OnPollingThread([&] {
      for (int i = 0; i < 100; ++i) {
        TestEngine()->Run([&, i] {
          absl::MutexLock lock(mu);
          order.push_back(i);
          if (order.size() == 100) done.Notify();
        });
      }
    });
    done.WaitForNotification();
    absl::MutexLock lock(mu);
    in_order = std::is_sorted(order.begin(), order.end());
  }
  EXPECT_TRUE(in_order);
}

TEST_F(CxlEngineTest, LongClosuresLeaveAndShortOnesComeBack) {
  AwaitShortClosures();
  // A closure is counted when it is over, a moment after it has said so; only then is the kernel
  // asked about the next one.
  EXPECT_TRUE(Eventually([this] {
    absl::Notification slept;
    OnPollingThread([&] {
      TestEngine()->Run([&] {
        absl::SleepFor(absl::Milliseconds(20));
        slept.Notify();
      });
    });
    slept.WaitForNotification();
    return !ClosuresStay();
  }));
  AwaitShortClosures();
}

TEST_F(CxlEngineTest, ClosuresOfOtherThreadsGoToTheInnerEngine) {
  absl::Notification ran;
  bool inside = true;
  TestEngine()->Run([&] {
    inside = TestEngine()->IsWorkerThread();
    ran.Notify();
  });
  ran.WaitForNotification();
  EXPECT_FALSE(inside);
}

TEST_F(CxlEngineTest, TimersRunAndAreCancelled) {
  const auto start = std::chrono::steady_clock::now();
  absl::Notification ran;
  TestEngine()->RunAfter(std::chrono::milliseconds(20), [&] { ran.Notify(); });
  const auto handle =
      TestEngine()->RunAfter(std::chrono::hours(1), [] { FAIL() << "it was cancelled"; });
  EXPECT_TRUE(TestEngine()->Cancel(handle));
  EXPECT_FALSE(TestEngine()->Cancel(handle));
  ran.WaitForNotification();
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(20));
}

}  // namespace
}  // namespace grpc_cxl::internal
