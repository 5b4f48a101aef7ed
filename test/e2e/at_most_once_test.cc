// A server is killed a thousand times while clients make direct calls to it. It writes every
// call that it runs into a journal, before it answers. No call runs twice, and every call
// that ended OK has run.

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/direct_calls.h"
#include "test/e2e/child.h"
#include "test/e2e/echo_pair.h"
#include "test/e2e/test_directory.h"

namespace grpc_cxl::e2e {
namespace {

// Servers at a time, each killed so often: most of a server's life is its start.
constexpr int kLanes = 4;
constexpr int kKills = 250;

// One server after the other at one place, and callers that never rest.
class Lane {
 public:
  explicit Lane(int number)
      : transport_(Transport::Make(TransportKind::kCxlDirect)),
        stub_(Echo::NewStub(MakeChannel(*transport_))),
        random_(number) {}

  void Run() {
    std::thread sync([this] { CallSync(); });
    std::thread callback([this] { CallWithCallbacks(); });
    for (int kill = 0; kill < kKills; ++kill) {
      const auto server = StartServer();
      // Let some calls pass, so that the kill comes in the middle of calls.
      const int64_t before = ok_count_.load();
      for (int i = 0; i < 20'000 && ok_count_.load() < before + 3; ++i) {
        absl::SleepFor(absl::Milliseconds(1));
      }
      absl::SleepFor(absl::Microseconds(random_() % 3000));
      server->Kill();
    }
    const auto last = StartServer();  // for the calls that still wait
    stop_ = true;
    sync.join();
    callback.join();
  }

  // What must hold in the end.
  void Check() {
    std::map<std::string, int> runs;
    std::ifstream file(journal());
    for (std::string line; std::getline(file, line);) ++runs[line];
    for (const auto& [id, count] : runs) EXPECT_EQ(count, 1) << "call " << id << " ran twice";
    for (const std::string& id : ok_) EXPECT_EQ(runs.count(id), 1u) << "call " << id;
    ran_ = runs.size();
  }

  size_t ok() const { return ok_.size(); }
  size_t ran() const { return ran_; }
  size_t failed() const { return failed_; }

 private:
  std::unique_ptr<Child> StartServer() const {
    auto server = std::make_unique<Child>(
        std::vector<std::string>{"--role=journal_server", "--transport=cxl_direct",
                                 "--place=" + transport_->place(), "--journal=" + journal()});
    EXPECT_EQ(server->ReadLine(), "serving");
    return server;
  }
  std::string journal() const { return journal_directory_.path() + "/journal"; }

  struct Call {
    grpc::ClientContext context;
    EchoRequest request;
    EchoResponse response;
  };
  std::unique_ptr<Call> NewCall() {
    auto call = std::make_unique<Call>();
    // A call that has not run may go to the next server; one that may have run must not.
    call->context.set_wait_for_ready(true);
    call->context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
    call->request.set_payload(absl::StrCat(next_++));
    return call;
  }
  void Note(const Call& call, const grpc::Status& status) {
    std::lock_guard<std::mutex> lock(mu_);
    if (status.ok()) {
      ok_.insert(call.request.payload());
      ++ok_count_;
    } else {
      EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE) << status.error_message();
      ++failed_;
    }
  }

  void CallSync() {
    while (!stop_) {
      const auto call = NewCall();
      Note(*call, stub_->Unary(&call->context, call->request, &call->response));
    }
  }

  // Up to four at a time.
  void CallWithCallbacks() {
    int running = 0;
    std::unique_lock<std::mutex> lock(window_mu_);
    while (!stop_) {
      window_.wait(lock, [&] { return running < 4; });
      ++running;
      Call* const call = NewCall().release();
      lock.unlock();
      stub_->async()->Unary(&call->context, &call->request, &call->response,
                            [this, call, &running](const grpc::Status& status) {
                              Note(*call, status);
                              delete call;
                              std::lock_guard<std::mutex> done(window_mu_);
                              --running;
                              window_.notify_one();
                            });
      lock.lock();
    }
    window_.wait(lock, [&] { return running == 0; });
  }

  const TestDirectory journal_directory_;
  const std::unique_ptr<Transport> transport_;
  const std::unique_ptr<Echo::Stub> stub_;
  std::minstd_rand random_;
  std::atomic<bool> stop_{false};
  std::atomic<int64_t> next_{1};
  std::atomic<int64_t> ok_count_{0};
  std::mutex window_mu_;
  std::condition_variable window_;
  std::mutex mu_;
  std::set<std::string> ok_;
  size_t failed_ = 0;
  size_t ran_ = 0;
};

TEST(AtMostOnceTest, AThousandKillsRepeatNoCallAndLoseNoAnswer) {
  std::vector<std::unique_ptr<Lane>> lanes;
  std::vector<std::thread> threads;
  for (int i = 0; i < kLanes; ++i) {
    lanes.push_back(std::make_unique<Lane>(i + 1));
    threads.emplace_back([lane = lanes.back().get()] { lane->Run(); });
  }
  for (std::thread& thread : threads) thread.join();
  size_t ok = 0, ran = 0, failed = 0;
  for (const auto& lane : lanes) {
    lane->Check();
    ok += lane->ok();
    ran += lane->ran();
    failed += lane->failed();
  }
  const DirectCallStats stats = GetDirectCallStats();
  std::cout << ok << " calls OK, " << failed << " failed, " << ran << " ran; " << stats.direct
            << " begun as direct calls, " << stats.not_taken
            << " of them made on the stream path after all" << std::endl;
  EXPECT_GE(ran, ok);
  EXPECT_GT(stats.direct, 1000u);
}

}  // namespace
}  // namespace grpc_cxl::e2e
