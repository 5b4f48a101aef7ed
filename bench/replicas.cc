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
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "bench/harness/bench_main.h"
#include "bench/harness/child_process.h"
#include "bench/harness/one_service.h"
#include "bench/harness/open_loop.h"
#include "bench/harness/temporary_directory.h"
#include "bench/report/medians.h"
#include "bench/report/table.h"
#include "bench/roles/echo.grpc.pb.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/options.h"

ABSL_FLAG(double, seconds, 10, "length of a run");
ABSL_FLAG(int, rounds, 3, "runs of each kind; the median of their figures counts");
ABSL_FLAG(std::string, directory, "", "of a replica: the rendezvous directory; empty: on TCP");
ABSL_FLAG(int, service_us, 0, "of a replica: how long a call takes");

namespace grpc_cxl::bench {
namespace {

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
  ServerOptions options;
  options.rendezvous_directory = absl::GetFlag(FLAGS_directory);
  options.replicas = true;
  return ServeOne(service, kName, options);
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
      absl::StatusOr<OneService> server =
          StartOneService(absl::StrCat("replica ", i),
                          {"--role=replica", absl::StrCat("--directory=", ours ? path : ""),
                           absl::StrCat("--service_us=", service_us)});
      if (!server.ok()) return server.status();
      addresses.push_back(server->tcp_address);
      replicas->servers_.push_back(std::move(server->process));
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

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

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

absl::StatusOr<OpenLoopFigures> Measure(bool ours, Fourth fourth) {
  const absl::StatusOr<std::unique_ptr<Replicas>> replicas = Replicas::Start(ours, fourth);
  if (!replicas.ok()) return replicas.status();
  RunOpenLoop((*replicas)->channel(), {kCallsPerSecond, /*seconds=*/1});  // warms up
  return RunOpenLoop((*replicas)->channel(), {kCallsPerSecond, absl::GetFlag(FLAGS_seconds)});
}

absl::StatusOr<int> Coordinate() {
  struct Kind {
    const char* name;
    bool ours;
    Fourth fourth;
    Medians<OpenLoopFigures> runs = {};
  };
  std::vector<Kind> kinds = {{"direct calls, 3 healthy", true, Fourth::kNone},
                             {"direct calls, and one 10 times slower", true, Fourth::kSlow},
                             {"direct calls, and one that stops", true, Fourth::kStops},
                             {"tcp round_robin, 3 healthy", false, Fourth::kNone},
                             {"tcp round_robin, and one 10 times slower", false, Fourth::kSlow},
                             {"tcp round_robin, and one that stops", false, Fourth::kStops}};
  for (int round = 0; round < std::max(absl::GetFlag(FLAGS_rounds), 1); ++round) {
    for (Kind& kind : kinds) {
      const absl::StatusOr<OpenLoopFigures> figures = Measure(kind.ours, kind.fourth);
      if (!figures.ok()) return figures.status();
      kind.runs.Add(*figures);
    }
  }
  Table table({"servers", "p50 ms", "p99 ms", "to healthy", "to round_robin", "failed"}, 1);
  for (size_t i = 0; i < kinds.size(); ++i) {
    const Medians<OpenLoopFigures>& runs = kinds[i].runs;
    const auto p99 = &OpenLoopFigures::p99_ms;
    table.AddRow({kinds[i].name, runs.Text(&OpenLoopFigures::p50_ms), runs.Text(p99),
                  runs.Ratio(p99, kinds[i / 3 * 3].runs), runs.Ratio(p99, kinds[i % 3 + 3].runs),
                  runs.Percent(&OpenLoopFigures::failed)});
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
