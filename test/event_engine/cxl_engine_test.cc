// SPDX-License-Identifier: Apache-2.0
// Proves what the engine adds to the one it decorates: cxl: names resolve, never from inside
// the call (gRPC holds a lock there), and other names go to the inner engine; closures that
// come up on a polling thread stay there while they are short and leave while they are long;
// everything else is the inner engine's.

#include "grpc_cxl/event_engine/cxl_engine.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "grpc_cxl/event_engine/resolver.h"
#include "gtest/gtest.h"
#include "test/endpoint/endpoint_pair.h"
#include "test/event_engine/test_server.h"
#include "test/support/eventually.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;

std::string AbstractName(const EventEngine::ResolvedAddress& address) {
  const auto* un = reinterpret_cast<const sockaddr_un*>(address.address());
  if (un->sun_family != AF_UNIX || un->sun_path[0] != '\0') return "not an abstract name";
  return std::string(un->sun_path + 1, address.size() - offsetof(sockaddr_un, sun_path) - 1);
}

TEST(ResolverTest, NamesBecomeAbstractAddressesAndOthersGoToTheInnerEngine) {
  // The longest name with the largest number still fits into an address.
  const std::string longest = absl::StrCat("cxl:///", std::string(80, 'n'), "?options=2147483647");
  const std::pair<std::string, std::string> kCases[] = {
      {"cxl:///shop/payments", "cxl:///shop/payments"},
      {"cxl:shop/payments", "cxl:///shop/payments"},
      {"CXL:///shop/payments?x=y#f?options=3", "cxl:///shop/payments?options=3"},
      {longest, longest}};
  for (const auto& [target, name] : kCases) {
    const auto address = Resolve(target);
    ASSERT_THAT(address, IsOk());
    EXPECT_EQ(AbstractName(*address), name);
  }
  // What names may be: test/rendezvous/service_name_test.cc.
  EXPECT_THAT(Resolve("cxl:///a b"), StatusIs(absl::StatusCode::kInvalidArgument));
  const auto address = Resolve("127.0.0.1:4711");
  ASSERT_THAT(address, IsOk());
  EXPECT_EQ(address->address()->sa_family, AF_INET);
}

// Answers each question with these.
class FixedResolver final : public EventEngine::DNSResolver {
 public:
  explicit FixedResolver(std::vector<EventEngine::ResolvedAddress> addresses)
      : addresses_(std::move(addresses)) {}
  void LookupHostname(LookupHostnameCallback on_resolve, absl::string_view,
                      absl::string_view) override {
    on_resolve(addresses_);
  }
  void LookupSRV(LookupSRVCallback, absl::string_view) override {}
  void LookupTXT(LookupTXTCallback, absl::string_view) override {}

 private:
  const std::vector<EventEngine::ResolvedAddress> addresses_;
};

// Those that are no packet's way out of this network namespace; otherwise as DNS has them.
TEST(ResolverTest, OwnAddressesComeFirst) {
  const std::vector<std::string> hosts = {"192.0.2.7", "127.0.0.1", "192.0.2.1", "127.0.0.2"};
  std::vector<EventEngine::ResolvedAddress> addresses;
  for (const std::string& host : hosts) addresses.push_back(*Resolve(host + ":50051"));
  const auto order = [&](std::unique_ptr<EventEngine::DNSResolver> resolver) {
    std::vector<std::string> found;
    resolver->LookupHostname(
        [&](absl::StatusOr<std::vector<EventEngine::ResolvedAddress>> answer) {
          for (const auto& address : answer.value()) {
            char text[INET_ADDRSTRLEN];
            const auto* in = reinterpret_cast<const sockaddr_in*>(address.address());
            found.push_back(inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text)));
          }
        },
        "payments:50051", "https");
    return found;
  };
  EXPECT_THAT(order(MakeResolver(TestEngine(), std::make_unique<FixedResolver>(addresses))),
              ElementsAre("127.0.0.1", "127.0.0.2", "192.0.2.7", "192.0.2.1"));
  // Of channels without our credentials.
  EXPECT_EQ(order(MakeRefusingResolver(TestEngine(), std::make_unique<FixedResolver>(addresses))),
            hosts);
}

// gRPC calls with a mutex held that its callback takes.
TEST(ResolverTest, AnswersNeverComeFromInsideTheCall) {
  auto resolver = TestEngine()->GetDNSResolver({});
  ASSERT_THAT(resolver, IsOk());
  for (const char* target : {"cxl:///payments", "cxl:///not valid"}) {
    absl::Mutex mu;
    absl::BlockingCounter answers(3);
    const auto answered = [&] {
      { absl::MutexLock inner(mu); }
      answers.DecrementCount();  // after it: `mu` goes with the turn of the loop
    };
    {
      absl::MutexLock lock(mu);
      (*resolver)->LookupHostname([&](const auto&) { answered(); }, target, "https");
      (*resolver)->LookupSRV(
          [&](const auto& records) {
            EXPECT_TRUE(records.ok() && records->empty());
            answered();
          },
          target);
      (*resolver)->LookupTXT(
          [&](const auto& records) {
            EXPECT_TRUE(records.ok() && records->empty());
            answered();
          },
          target);
    }
    answers.Wait();
  }
}

// A connection, so that there are polling threads to be on.
class CxlEngineTest : public EngineTest {
 protected:
  CxlEngineTest() {
    Start(server_);
    client_ = *Connect();
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

  TestServer server_;
  std::unique_ptr<EventEngine::Endpoint> client_, accepted_;
};

TEST_F(CxlEngineTest, OnlyPollingThreadsAreWorkers) {
  EXPECT_FALSE(TestEngine()->IsWorkerThread());
  bool inside = false;
  OnPollingThread([&] { inside = TestEngine()->IsWorkerThread(); });
  EXPECT_TRUE(inside);
  // A closure of another thread goes to the inner engine.
  absl::Notification ran;
  TestEngine()->Run([&] {
    inside = TestEngine()->IsWorkerThread();
    ran.Notify();
  });
  ran.WaitForNotification();
  EXPECT_FALSE(inside);
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

}  // namespace
}  // namespace grpc_cxl::internal
