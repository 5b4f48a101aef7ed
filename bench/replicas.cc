// SPDX-License-Identifier: Apache-2.0

// Does one bad replica of a service hurt its callers? Direct calls to the replicas of a `cxl:`
// name, beside gRPC's round_robin over TCP. Each server does one call at a time, 4 ms each; calls
// come at random times, at 60 % of what the healthy servers can do. A call's latency counts from
// the moment at which it was due.
//
//   ./bazelw run -c opt //bench:replicas
//   ./bazelw run -c opt //bench:replicas -- --seconds=30 --rounds=5

#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "bench/harness/answer_requests.h"
#include "bench/harness/bench_main.h"
#include "bench/harness/child_process.h"
#include "bench/harness/control.pb.h"
#include "bench/harness/temporary_directory.h"
#include "bench/report/table.h"
#include "bench/roles/echo.grpc.pb.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/server_builder.h"
#include "grpc_cxl/server_credentials.h"

ABSL_FLAG(double, seconds, 10, "length of a run");
ABSL_FLAG(int, rounds, 3, "runs of each kind; the median of their figures counts");
ABSL_FLAG(std::string, directory, "", "of a replica: the rendezvous directory; empty: on TCP");
ABSL_FLAG(int, service_us, 0, "of a replica: how long a call takes");

namespace grpc_cxl::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kHealthy = 3;
constexpr int kServiceUs = 4000;
constexpr double kCallsPerSecond = 0.6 * kHealthy * 1e6 / kServiceUs;
constexpr char kName[] = "cxl:///bench/replicas";

class OneAtATime final : public Echo::Service {
  grpc::Status Call(grpc::ServerContext*, const Payload* request, Payload* response) override {
    absl::MutexLock lock(mu_);
    std::this_thread::sleep_for(std::chrono::microseconds(absl::GetFlag(FLAGS_service_us)));
    response->set_data(request->data());
    return grpc::Status::OK;
  }

  absl::Mutex mu_;
};

int ReplicaMain() {
  OneAtATime service;
  std::unique_ptr<grpc::Server> server;
  return AnswerRequests([&](const Request&) -> absl::StatusOr<Reply> {
    ServerOptions options;
    options.rendezvous_directory = absl::GetFlag(FLAGS_directory);
    options.replicas = true;
    const bool ours = !options.rendezvous_directory.empty();
    grpc_cxl::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(ours ? kName : "127.0.0.1:0",
                             ours ? ServerCredentials(options) : grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&service);
    server = builder.BuildAndStart();
    if (server == nullptr) return absl::UnavailableError("cannot listen; its log says why");
    Reply reply;
    reply.mutable_server_started()->set_address(absl::StrCat("127.0.0.1:", port));
    return reply;
  });
}

enum class Fourth { kNone, kSlow, kStops };

// The replicas, and a channel to them.
class Replicas {
 public:
  static absl::StatusOr<std::unique_ptr<Replicas>> Start(bool ours, Fourth fourth) {
    absl::StatusOr<TemporaryDirectory> directory = TemporaryDirectory::Create();
    if (!directory.ok()) return directory.status();
    std::unique_ptr<Replicas> replicas(new Replicas(*std::move(directory)));
    const std::string& path = replicas->directory_.path();
    std::vector<std::string> addresses;
    for (int i = 0; i < kHealthy + (fourth == Fourth::kNone ? 0 : 1); ++i) {
      const int service_us =
          i == kHealthy && fourth == Fourth::kSlow ? 10 * kServiceUs : kServiceUs;
      auto server =
          ChildProcess::Start(absl::StrCat("replica ", i),
                              {"--role=replica", absl::StrCat("--directory=", ours ? path : ""),
                               absl::StrCat("--service_us=", service_us)},
                              absl::Milliseconds(100));
      if (!server.ok()) return server.status();
      Request start;
      start.mutable_start_server();
      const absl::StatusOr<Reply> started = (*server)->Ask(start, absl::Seconds(30));
      if (!started.ok()) return started.status();
      addresses.push_back(started->server_started().address());
      replicas->servers_.push_back(*std::move(server));
    }
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    if (!ours) arguments.SetLoadBalancingPolicyName("round_robin");
    ChannelOptions options;
    options.rendezvous_directory = path;
    replicas->channel_ = grpc::CreateCustomChannel(
        ours ? kName : absl::StrCat("ipv4:", absl::StrJoin(addresses, ",")),
        ours ? ChannelCredentials(options) : grpc::InsecureChannelCredentials(), arguments);
    if (fourth == Fourth::kStops) replicas->StopAndGo();
    return replicas;
  }

  ~Replicas() {
    over_ = true;
    if (stopper_.joinable()) stopper_.join();
  }

  grpc::Channel& channel() { return *channel_; }

 private:
  explicit Replicas(TemporaryDirectory directory) : directory_(std::move(directory)) {}

  // The last one stands for 200 ms each second.
  void StopAndGo() {
    stopper_ = std::thread([this, pid = servers_.back()->pid()] {
      for (int tenth = 0; !over_; tenth = (tenth + 1) % 10) {
        if (tenth == 0) kill(pid, SIGSTOP);
        if (tenth == 2) kill(pid, SIGCONT);
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
      }
      kill(pid, SIGCONT);
    });
  }

  const TemporaryDirectory directory_;
  std::vector<std::unique_ptr<ChildProcess>> servers_;
  std::shared_ptr<grpc::Channel> channel_;
  std::atomic<bool> over_{false};
  std::thread stopper_;
};

struct Figures {
  double p50_ms = 0, p99_ms = 0;
  double failed = 0;  // calls
};

// Calls for so long.
class Load {
 public:
  explicit Load(grpc::Channel& channel)
      : stub_(Echo::NewStub(std::shared_ptr<grpc::Channel>(std::shared_ptr<void>(), &channel))) {}

  Figures Run(double seconds) {
    std::minstd_rand random(std::random_device{}());
    std::exponential_distribution<double> pause(kCallsPerSecond);
    const Clock::time_point begin = Clock::now();
    double at = 0;
    for (; at < seconds; at += pause(random)) {
      const auto due =
          begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(at));
      std::this_thread::sleep_until(due);
      Begin(due);
    }
    absl::MutexLock lock(mu_);
    mu_.Await(absl::Condition(
        +[](int* n) { return *n == 0; }, &running_));
    std::sort(ms_.begin(), ms_.end());
    if (ms_.empty()) return {.failed = static_cast<double>(failed_)};
    return {ms_[ms_.size() / 2], ms_[ms_.size() * 99 / 100], static_cast<double>(failed_)};
  }

 private:
  struct OneCall {
    grpc::ClientContext context;
    Payload request, response;
  };

  void Begin(Clock::time_point due) {
    auto* const call = new OneCall;
    call->request.set_data(std::string(64, 'x'));
    call->context.set_wait_for_ready(true);
    call->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    {
      absl::MutexLock lock(mu_);
      ++running_;
    }
    stub_->async()->Call(&call->context, &call->request, &call->response,
                         [this, call, due](const grpc::Status& status) {
                           const std::chrono::duration<double, std::milli> took =
                               Clock::now() - due;
                           delete call;
                           absl::MutexLock lock(mu_);
                           if (status.ok()) ms_.push_back(took.count());
                           if (!status.ok()) ++failed_;
                           --running_;
                         });
  }

  const std::unique_ptr<Echo::Stub> stub_;
  absl::Mutex mu_;
  int running_ ABSL_GUARDED_BY(mu_) = 0;
  int failed_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<double> ms_ ABSL_GUARDED_BY(mu_);
};

absl::StatusOr<Figures> Measure(bool ours, Fourth fourth) {
  const absl::StatusOr<std::unique_ptr<Replicas>> replicas = Replicas::Start(ours, fourth);
  if (!replicas.ok()) return replicas.status();
  Load((*replicas)->channel()).Run(1);  // warms up
  return Load((*replicas)->channel()).Run(absl::GetFlag(FLAGS_seconds));
}

absl::StatusOr<int> Coordinate() {
  struct Kind {
    const char* name;
    bool ours;
    Fourth fourth;
    std::vector<Figures> runs = {};
  };
  std::vector<Kind> kinds = {{"direct calls, 3 healthy", true, Fourth::kNone},
                             {"direct calls, and one 10 times slower", true, Fourth::kSlow},
                             {"direct calls, and one that stops", true, Fourth::kStops},
                             {"tcp round_robin, 3 healthy", false, Fourth::kNone},
                             {"tcp round_robin, and one 10 times slower", false, Fourth::kSlow},
                             {"tcp round_robin, and one that stops", false, Fourth::kStops}};
  for (int round = 0; round < std::max(absl::GetFlag(FLAGS_rounds), 1); ++round) {
    for (Kind& kind : kinds) {
      const absl::StatusOr<Figures> figures = Measure(kind.ours, kind.fourth);
      if (!figures.ok()) return figures.status();
      kind.runs.push_back(*figures);
    }
  }
  const auto median = [](const Kind& kind, double Figures::*figure) {
    std::vector<double> values;
    for (const Figures& run : kind.runs) values.push_back(run.*figure);
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  };
  Table table({"servers", "p50 ms", "p99 ms", "to healthy", "to round_robin", "failed"}, 1);
  for (size_t i = 0; i < kinds.size(); ++i) {
    const double p99 = median(kinds[i], &Figures::p99_ms);
    table.AddRow({kinds[i].name, absl::StrFormat("%.2f", median(kinds[i], &Figures::p50_ms)),
                  absl::StrFormat("%.2f", p99),
                  absl::StrFormat("%.2f", p99 / median(kinds[i / 3 * 3], &Figures::p99_ms)),
                  absl::StrFormat("%.2f", p99 / median(kinds[i % 3 + 3], &Figures::p99_ms)),
                  absl::StrFormat("%.0f", median(kinds[i], &Figures::failed))});
  }
  absl::PrintF("%.0f calls a second; medians of %d runs of %.0f s\n%s", kCallsPerSecond,
               absl::GetFlag(FLAGS_rounds), absl::GetFlag(FLAGS_seconds), table.ToString());
  return 0;
}

}  // namespace
}  // namespace grpc_cxl::bench

int main(int argc, char** argv) {
  using namespace grpc_cxl::bench;  // NOLINT: main() is part of it
  return BenchMain(argc, argv,
                   {.name = "replicas",
                    .usage = "calls to several servers of a name, one of which is bad",
                    .roles = {{"replica", ReplicaMain}},
                    .coordinate = Coordinate});
}
