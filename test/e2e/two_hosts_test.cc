// SPDX-License-Identifier: Apache-2.0

// Two hosts, which are two network namespaces that a veth joins, with a rendezvous directory each.
// A client calls a replica here and one there, under load, while they are killed and started again
// and the network between them fails: calls go through memory to the one here and over the network
// to the other, and none is made twice.

#include <fcntl.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <map>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/connection_counters.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/server_builder.h"
#include "test/e2e/network_address.h"
#include "test/support/eventually.h"
#include "test/support/forked_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::e2e {
namespace {

using internal::Eventually;
using internal::ForkedChild;

constexpr int kPort = 50051;  // both hosts' networks are ours

// What the processes tell each other.
struct Board {
  std::atomic<int> memory{0}, network{0};  // calls answered, by path
  std::atomic<bool> stop{false};
};

bool Run(const std::string& command) { return system((command + " 2>/dev/null").c_str()) == 0; }

// Notes each call in a journal before it answers with its path.
class Replica final : private Echo::Service {
 public:
  Replica(const NetworkHost& host, const std::string& address, const std::string& journal)
      : journal_(open(journal.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) {
    ServerBuilder builder;
    builder.AddListeningPort(address, ServerCredentials(host.server_options()));
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    CHECK(server_ != nullptr);
  }

 private:
  grpc::Status Unary(grpc::ServerContext* context, const EchoRequest* request,
                     EchoResponse* response) override {
    const std::string line = request->payload() + "\n";
    PCHECK(write(journal_, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
    response->set_payload(CallPeer(*context).has_value() ? "memory" : "network");
    return grpc::Status::OK;
  }

  const int journal_;
  std::unique_ptr<grpc::Server> server_;
};

// Calls from four threads until the board says stop; then what is wrong.
std::string CallAll(const NetworkHost& host, const std::string& target, const std::string& policy,
                    const std::string& journal, Board& board) {
  grpc::ChannelArguments arguments;
  arguments.SetLoadBalancingPolicyName(policy);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
  const auto stub = Echo::NewStub(
      grpc::CreateCustomChannel(target, ChannelCredentials(host.channel_options()), arguments));
  absl::Mutex mu;
  std::set<std::string> ok;
  std::atomic<int> next{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!board.stop) {
        grpc::ClientContext context;
        // Calls that hang in a network that fails end soon.
        context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(500));
        EchoRequest request;
        request.set_payload(absl::StrCat(next++));
        EchoResponse response;
        if (!stub->Unary(&context, request, &response).ok()) continue;
        ++(response.payload() == "memory" ? board.memory : board.network);
        absl::MutexLock lock(mu);
        ok.insert(request.payload());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::map<std::string, int> runs;
  std::ifstream file(journal);
  for (std::string line; std::getline(file, line);) ++runs[line];
  std::string wrong;
  for (const auto& [id, count] : runs) {
    if (count != 1) absl::StrAppend(&wrong, "call ", id, " ran ", count, " times; ");
  }
  for (const std::string& id : ok) {
    if (!runs.contains(id)) absl::StrAppend(&wrong, "call ", id, " did not run; ");
  }
  // The port of the replica there is that of the one here, which has all addresses.
  if (const uint64_t declined = GetConnectionCounters().declined; declined != 0) {
    absl::StrAppend(&wrong, declined, " connections declined; ");
  }
  return wrong;
}

// What `body` returns in a process of the network namespace of `of`.
std::unique_ptr<ForkedChild> In(pid_t of, absl::FunctionRef<std::string()> body) {
  return std::make_unique<ForkedChild>([&] {
    const int space = open(absl::StrCat("/proc/", of, "/ns/net").c_str(), O_RDONLY | O_CLOEXEC);
    PCHECK(space >= 0 && setns(space, CLONE_NEWNET) == 0);
    return body();
  });
}

struct Way {
  const char* policy;
  bool v6 = false;
  bool one_host = false;
};

// Two hosts, and what happens to them.
class Story {
 public:
  explicit Story(const Way& way)
      : way_(way),
        board_(new (mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                         -1, 0)) Board) {}

  // To be called in a network namespace of its own, that of the client's host. "skip: ...", or what
  // went wrong.
  std::string Tell() {
    ForkedChild other([] {
      PCHECK(unshare(CLONE_NEWNET) == 0);
      raise(SIGSTOP);
      pause();
      return std::string();
    });
    other.AwaitStopAndContinue();
    const std::string peer = absl::StrCat(other.pid());
    if (!Run("ip link add here type veth peer name there netns " + peer) ||
        !Run("ip link set lo up && ip address add 10.77.0.1/24 dev here && "
             "ip address add fd77::1/64 dev here nodad && ip link set here up")) {
      return "skip: no pair of virtual network devices here";
    }
    In(other.pid(), [] {
      CHECK(
          Run("ip link set lo up && ip address add 10.77.0.2/24 dev there && "
              "ip address add fd77::2/64 dev there nodad && ip link set there up"));
      return std::string();
    })->Join();
    if (way_.one_host) return TellOfOneHost(other.pid());

    auto here = Serve(here_, getpid()), there = Serve(there_, other.pid());
    ForkedChild client([&] {
      return CallAll(
          here_,
          way_.v6 ? "ipv6:[fd77::1]:50051,[fd77::2]:50051" : "ipv4:10.77.0.1:50051,10.77.0.2:50051",
          way_.policy, journal(), *board_);
    });
    const bool both = way_.policy == std::string("round_robin");
    Expect(board_->memory, "memory, at first");
    if (both) Expect(board_->network, "network, at first");
    for (int i = 0; i < 2; ++i) {
      here->Kill();
      Expect(board_->network, "network, without the replica here");
      here = Serve(here_, getpid());
      // pick_first stays where it is.
      if (both) Expect(board_->memory, "memory, with a new replica here");
      there->Kill();
      Expect(board_->memory, "memory, without the replica there");
      there = Serve(there_, other.pid());
      if (both) Expect(board_->network, "network, with a new replica there");
    }
    CHECK(Run("ip link set here down"));
    Expect(board_->memory, "memory, without a network");
    CHECK(Run("ip link set here up"));
    if (both) {
      // IPv6 addresses go with the link.
      if (way_.v6) CHECK(Run("ip address replace fd77::1/64 dev here nodad"));
      Expect(board_->network, "network, when it is there again");
    }
    board_->stop = true;
    return wrong_ + client.Join();
  }

 private:
  // The namespaces are two pods of one host, with one directory.
  std::string TellOfOneHost(pid_t other) {
    auto there = Serve(here_, other);
    ForkedChild client(
        [&] { return CallAll(here_, "ipv4:10.77.0.2:50051", way_.policy, journal(), *board_); });
    for (int i = 0; i < 3; ++i) {
      Expect(board_->memory, "memory, of the other pod");
      there->Kill();
      there = Serve(here_, other);
    }
    Expect(board_->memory, "memory, of the last one");
    board_->stop = true;
    return wrong_ + client.Join();
  }

  std::string journal() const { return journal_.path() + "/journal"; }
  std::unique_ptr<ForkedChild> Serve(const NetworkHost& host, pid_t where) const {
    auto replica = In(where, [&] {
      const Replica service(host, absl::StrCat(way_.v6 ? "[::]" : "0.0.0.0", ":", kPort),
                            journal());
      raise(SIGSTOP);
      pause();
      return std::string();
    });
    replica->AwaitStopAndContinue();  // it serves
    return replica;
  }

  // Calls soon come by this path.
  void Expect(std::atomic<int>& calls, const std::string& what) {
    const int before = calls;
    if (!Eventually([&] { return calls > before + 20; })) {
      absl::StrAppend(&wrong_, "no calls by ", what, "; ");
    }
  }

  const Way way_;
  Board* const board_;
  const NetworkHost here_, there_;
  const internal::TemporaryDirectory journal_;
  std::string wrong_;
};

class TwoHostsTest : public ::testing::TestWithParam<Way> {};

TEST_P(TwoHostsTest, CallsTakeTheWayThatThereIs) {
  if (geteuid() != 0) GTEST_SKIP() << "it needs root, to make network namespaces";
  Story story(GetParam());
  const std::string wrong = ForkedChild([&] {
                              if (unshare(CLONE_NEWNET) != 0) return std::string("skip: no");
                              return story.Tell();
                            }).Join();
  if (absl::StartsWith(wrong, "skip")) GTEST_SKIP() << wrong;
  EXPECT_EQ(wrong, "");
}

INSTANTIATE_TEST_SUITE_P(Ways, TwoHostsTest,
                         ::testing::Values(Way{"round_robin"}, Way{"round_robin", true},
                                           Way{"pick_first"}, Way{"pick_first", false, true}));

}  // namespace
}  // namespace grpc_cxl::e2e
