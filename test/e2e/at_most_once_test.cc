// SPDX-License-Identifier: Apache-2.0

// A server is killed a thousand times while clients make direct calls to it. It writes every
// call that it runs into a journal, before it answers. No call runs twice, and every call
// that ended OK has run. Half of the servers have a replica beside them, to which calls go that a
// dead one has not taken.

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/direct_calls.h"
#include "test/e2e/child.h"
#include "test/e2e/echo_pair.h"
#include "test/support/eventually.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::e2e {
namespace {

// Servers at a time, each killed so often: most of a server's life is its start. Takes about a
// minute.
constexpr int kServers = 4;
constexpr int kKills = 250;

// One server after the other at one place, and threads that call without a rest: one synchronous,
// four with callbacks.
class Caller {
 public:
  explicit Caller(int number)
      : has_replica_(number % 2 == 0),
        transport_(Transport::Make(TransportKind::kCxlDirect)),
        stub_(Echo::NewStub(MakeChannel(*transport_))),
        random_(number) {}

  void Run() {
    const auto replica = has_replica_ ? StartServer() : nullptr;
    std::vector<std::thread> threads;
    for (const ClientApi api : {ClientApi::kSync, ClientApi::kCallback, ClientApi::kCallback,
                                ClientApi::kCallback, ClientApi::kCallback}) {
      threads.emplace_back([this, api] {
        while (!stop_) CallOnce(api);
      });
    }
    for (int kill = 0; kill < Kills(kKills); ++kill) {
      const auto server = StartServer();
      // Lets some calls pass, so that the kill comes in the middle of calls.
      const size_t before = ok_count_;
      EXPECT_TRUE(internal::Eventually([&] { return ok_count_ >= before + 3; }));
      absl::SleepFor(absl::Microseconds(random_() % 3000));
      server->Kill();
    }
    const auto last = StartServer();  // for the calls that still wait
    stop_ = true;
    for (std::thread& thread : threads) thread.join();
  }

  // What must hold in the end.
  void Check() {
    std::map<std::string, int> runs;
    std::ifstream file(journal());
    for (std::string line; std::getline(file, line);) ++runs[line];
    for (const auto& [id, count] : runs) EXPECT_EQ(count, 1) << "call " << id << " ran twice";
    absl::MutexLock lock(mu_);
    for (const std::string& id : ok_) EXPECT_EQ(runs.count(id), 1u) << "call " << id;
    std::cout << ok_.size() << " calls OK, " << failed_ << " failed, " << runs.size() << " ran\n";
  }

 private:
  std::unique_ptr<Child> StartServer() const {
    auto server =
        std::make_unique<Child>("journal_server", TransportKind::kCxlDirect, transport_->place(),
                                std::vector<std::string>{"--journal=" + journal(),
                                                         absl::StrCat("--replica=", has_replica_)});
    EXPECT_EQ(server->ReadLine(), "serving");
    return server;
  }
  std::string journal() const { return journal_directory_.path() + "/journal"; }

  void CallOnce(ClientApi api) {
    const std::string id = absl::StrCat(next_++);
    // A call that has not run may go to the next server; one that may have run must not.
    ClientCall call{.api = api, .prepare = Patiently()};
    call.requests[0].set_payload(id);
    const grpc::Status status = Perform(stub_.get(), call).status;
    absl::MutexLock lock(mu_);
    if (status.ok()) {
      ok_.insert(id);
      ++ok_count_;
    } else {
      EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE) << status.error_message();
      ++failed_;
    }
  }

  const internal::TemporaryDirectory journal_directory_;
  const bool has_replica_;
  const std::unique_ptr<Transport> transport_;
  const std::unique_ptr<Echo::Stub> stub_;
  std::minstd_rand random_;
  std::atomic<bool> stop_{false};
  std::atomic<int64_t> next_{1};
  std::atomic<size_t> ok_count_{0};
  absl::Mutex mu_;
  std::set<std::string> ok_ ABSL_GUARDED_BY(mu_);
  int failed_ ABSL_GUARDED_BY(mu_) = 0;
};

TEST(AtMostOnceTest, KillsRepeatNoCallAndLoseNoAnswer) {
  std::vector<std::unique_ptr<Caller>> callers;
  std::vector<std::thread> threads;
  for (int i = 0; i < kServers; ++i) {
    callers.push_back(std::make_unique<Caller>(i + 1));
    threads.emplace_back([caller = callers.back().get()] { caller->Run(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& caller : callers) caller->Check();
  const DirectCallStats stats = GetDirectCallStats();
  std::cout << stats.direct << " begun as direct calls, " << stats.not_taken
            << " of them made on the stream path after all" << std::endl;
  EXPECT_GT(stats.direct, static_cast<uint64_t>(Kills(kServers * kKills)));
}

}  // namespace
}  // namespace grpc_cxl::e2e
