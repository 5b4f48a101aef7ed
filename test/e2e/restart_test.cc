// SPDX-License-Identifier: Apache-2.0

// A server is restarted again and again under load: the next one takes its name or address over,
// and it shuts down. No call fails, none runs twice, and no caller comes back to a server that it
// has left. RESTARTS in the environment says how often, and GRPC_S_OWN=1 runs the same with gRPC's
// own credentials, for comparison.

#include <grpc/impl/channel_arg_names.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "grpc_cxl/channel_credentials.h"
#include "test/e2e/echo.grpc.pb.h"
#include "test/e2e/echo_pair.h"
#include "test/support/spawned_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::e2e {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kCallers = 8;
constexpr auto kPeriod = std::chrono::milliseconds(kCallers);  // of each: 1,000 calls a second

struct Way {
  std::string name;
  bool ours, network, direct;
};
void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }

int Number(const char* variable, int otherwise) {
  const char* const text = getenv(variable);
  int number;
  return text != nullptr && absl::SimpleAtoi(text, &number) ? number : otherwise;
}

// A stream of the callback API with one message each way.
class OneStream final : private grpc::ClientBidiReactor<EchoRequest, EchoResponse> {
 public:
  OneStream(Echo::Stub& stub, grpc::ClientContext* context, EchoResponse* response) {
    stub.async()->Bidi(context, this);
    StartRead(response);
    StartWriteLast(&request_, grpc::WriteOptions());
    StartCall();
  }
  grpc::Status Await() {
    over_.WaitForNotification();
    return status_;
  }

 private:
  void OnDone(const grpc::Status& status) override {
    status_ = status;
    over_.Notify();
  }

  const EchoRequest request_;
  grpc::Status status_;
  absl::Notification over_;
};

// A call with one answer, of each kind in turn.
grpc::Status Make(int kind, Echo::Stub& stub, EchoResponse* response) {
  grpc::ClientContext context;
  if (kind % 4 < 2) return stub.Unary(&context, {}, response);
  if (kind % 4 == 2) return OneStream(stub, &context, response).Await();
  const auto stream = stub.Bidi(&context);
  stream->Write({});
  stream->WritesDone();
  stream->Read(response);
  return stream->Finish();
}

// What all callers have seen.
struct Seen {
  absl::Mutex mu;
  std::vector<double> ms ABSL_GUARDED_BY(mu);
  std::map<std::string, int> failures ABSL_GUARDED_BY(mu);
  int comebacks ABSL_GUARDED_BY(mu) = 0;
};

class RestartTest : public ::testing::TestWithParam<Way> {
 protected:
  std::vector<std::string> Flags(int number, bool take_over = true) const {
    return {"--address=" + address_, absl::StrCat("--number=", number),
            absl::StrCat("--take_over=", take_over),
            "--directory=" + (GetParam().ours ? directory_.path() : "")};
  }
  std::unique_ptr<internal::SpawnedChild> Start(int number, bool leave = true) const {
    std::vector<std::string> flags = Flags(number);
    flags.push_back(absl::StrCat("--leave=", leave));
    auto server = std::make_unique<internal::SpawnedChild>("test/e2e/restart_server", flags);
    EXPECT_EQ(server->ReadLine(), "serving");
    return server;
  }
  // How many calls it has run.
  static int Stop(internal::SpawnedChild& server) {
    EXPECT_EQ(server.Finish(absl::Minutes(1)), 0);
    int calls = -1;
    EXPECT_TRUE(absl::SimpleAtoi(server.ReadLine().value_or("nothing"), &calls));
    return calls;
  }

  std::shared_ptr<grpc::Channel> Channel() const {
    ChannelOptions options;
    options.rendezvous_directory = directory_.path();
    options.direct_calls = GetParam().direct;
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(
        address_,
        GetParam().ours ? ChannelCredentials(options) : grpc::InsecureChannelCredentials(),
        arguments);
  }

  // Which server a new channel reaches.
  int Reached() const {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    EchoResponse response;
    const grpc::Status status = Echo::NewStub(Channel())->Unary(&context, {}, &response);
    int number = -1;
    EXPECT_TRUE(status.ok() && absl::SimpleAtoi(response.payload(), &number));
    return number;
  }

  void Call(int kind, const std::atomic<bool>& stop, Seen* seen) const {
    const std::shared_ptr<grpc::Channel> channel = Channel();
    Connect(*channel);
    const auto stub = Echo::NewStub(channel);
    std::vector<double> ms;
    int last = 0;
    for (Clock::time_point next = Clock::now(); !stop; next += kPeriod) {
      std::this_thread::sleep_until(next);
      EchoResponse response;
      const Clock::time_point begin = Clock::now();
      const grpc::Status status = Make(kind, *stub, &response);
      ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
      int number = last;
      absl::MutexLock lock(seen->mu);
      if (!status.ok()) {
        ++seen->failures[absl::StrCat("kind ", kind % 4, ": ", status.error_code(), " ",
                                      status.error_message())];
      } else if (!absl::SimpleAtoi(response.payload(), &number) || number < last) {
        ++seen->comebacks;
      }
      last = number;
    }
    absl::MutexLock lock(seen->mu);
    seen->ms.insert(seen->ms.end(), ms.begin(), ms.end());
  }

  const internal::TemporaryDirectory directory_;
  const std::unique_ptr<Transport> port_ = Transport::Make(TransportKind::kTcp);
  const std::string address_ = GetParam().network ? port_->address() : "cxl:///e2e/restarted";
};

TEST_P(RestartTest, LosesNoCall) {
  if (!GetParam().ours && Number("GRPC_S_OWN", 0) == 0) GTEST_SKIP() << "for comparison only";
  const int restarts = Number("RESTARTS", 5);
  auto server = Start(1);
  std::atomic<bool> stop{false};
  Seen seen;
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) callers.emplace_back([&, i] { Call(i, stop, &seen); });
  int run = 0;
  for (int i = 0; i < restarts; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // some load, not a result
    auto next = Start(i + 2);
    run += Stop(*server);
    server = std::move(next);
  }
  stop = true;
  for (std::thread& caller : callers) caller.join();
  run += Stop(*server);
  absl::MutexLock lock(seen.mu);
  std::sort(seen.ms.begin(), seen.ms.end());
  std::cout << seen.ms.size() << " calls, 99.9 % within " << seen.ms[seen.ms.size() * 999 / 1000]
            << " ms, longest " << seen.ms.back() << " ms\n";
  int failed = 0;
  for (const auto& [what, count] : seen.failures) {
    std::cout << count << " times " << what << "\n";
    failed += count;
  }
  EXPECT_EQ(failed, 0);
  EXPECT_LT(seen.ms.back(), 4000);  // loose: a call that waits for a server's patience takes 5 s
  EXPECT_EQ(seen.comebacks, 0);
  EXPECT_EQ(run, static_cast<int>(seen.ms.size()));
}

// Whenever a successor is killed, the server that was there before has its name, and gives it to
// the next one.
TEST_P(RestartTest, ASuccessorThatDiesTakesNothingAlong) {
  if (!GetParam().ours || GetParam().direct) GTEST_SKIP() << "once for each kind of address";
  const auto server = Start(1, /*leave=*/false);
  for (int i = 0; i < 8; ++i) {
    internal::SpawnedChild successor("test/e2e/restart_server", Flags(2));
    if (i == 7) {
      EXPECT_EQ(successor.ReadLine(), "serving");
      EXPECT_EQ(Reached(), 2);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(25 * i));  // where it dies
    successor.Kill();
    EXPECT_EQ(Reached(), 1);
  }
  const auto last = Start(3);
  EXPECT_EQ(Reached(), 3);
}

TEST_P(RestartTest, AServerThatDoesNotTakeOverLeavesTheNameWhereItIs) {
  if (!GetParam().ours || GetParam().network) GTEST_SKIP() << "they share the network address";
  const auto server = Start(1);
  internal::SpawnedChild other("test/e2e/restart_server", Flags(2, /*take_over=*/false));
  EXPECT_NE(other.Finish(absl::Minutes(1)), 0);
  EXPECT_EQ(Reached(), 1);
}

INSTANTIATE_TEST_SUITE_P(Of, RestartTest,
                         ::testing::Values(Way{"Name", true, false, false},
                                           Way{"NameDirect", true, false, true},
                                           Way{"Network", true, true, false},
                                           Way{"NetworkDirect", true, true, true},
                                           Way{"Grpc", false, true, false}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace grpc_cxl::e2e
