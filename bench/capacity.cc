// SPDX-License-Identifier: Apache-2.0

// What does a server do that is asked three times what it can? Direct calls to one with a capacity,
// beside TCP. The server has four workers, each of which takes 8 ms for a call; the capacity is
// four. Calls come at random times, with a deadline. Latencies are those of calls that end OK, and
// count from the moment at which the call was due. Memory is what a process gains at its peak.
//
//   ./bazelw run -c opt //bench:capacity
//   ./bazelw run -c opt //bench:capacity -- --seconds=30 --rounds=5

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "bench/harness/bench_main.h"
#include "bench/harness/one_service.h"
#include "bench/harness/open_loop.h"
#include "bench/harness/temporary_directory.h"
#include "bench/probes/peak_memory.h"
#include "bench/report/medians.h"
#include "bench/report/table.h"
#include "bench/roles/echo.grpc.pb.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/options.h"

ABSL_FLAG(double, seconds, 10, "length of a run");
ABSL_FLAG(int, rounds, 3, "runs of each kind; the median of their figures counts");
ABSL_FLAG(int, waiting, 8, "ChannelOptions::max_waiting_calls");
ABSL_FLAG(std::string, directory, "", "of the server: the rendezvous directory; empty: on TCP");

namespace grpc_cxl::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWorkers = 4;
constexpr auto kService = std::chrono::milliseconds(8);
constexpr double kCapacity = kWorkers / 8e-3;  // calls a second
constexpr auto kDeadline = std::chrono::milliseconds(200);
constexpr char kName[] = "cxl:///bench/capacity";

// Calls wait for a worker in order, and keep no thread meanwhile.
class Workers final : public Echo::CallbackService {
 public:
  Workers() {
    for (int i = 0; i < kWorkers; ++i) std::thread([this] { Work(); }).detach();
  }

 private:
  struct Waiting {
    grpc::ServerUnaryReactor* reactor;
    const Payload* request;
    Payload* response;
  };

  grpc::ServerUnaryReactor* Call(grpc::CallbackServerContext* context, const Payload* request,
                                 Payload* response) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    absl::MutexLock lock(mu_);
    calls_.push_back({reactor, request, response});
    return reactor;
  }
  void Work() {
    for (Clock::time_point free = Clock::now();;) {
      Waiting call{};
      {
        absl::MutexLock lock(mu_);
        mu_.Await(absl::Condition(
            +[](std::deque<Waiting>* calls) { return !calls->empty(); }, &calls_));
        call = calls_.front();
        calls_.pop_front();
      }
      // A worker that wakes late from its sleep has its next call begin in time.
      free = std::max(free, Clock::now() - kService / 8) + kService;
      std::this_thread::sleep_until(free);
      call.response->set_data(call.request->data());
      call.reactor->Finish(grpc::Status::OK);
    }
  }

  absl::Mutex mu_;
  std::deque<Waiting> calls_ ABSL_GUARDED_BY(mu_);
};

int ServerMain() {
  static Workers* const workers = new Workers;  // their threads never end
  ServerOptions options;
  options.rendezvous_directory = absl::GetFlag(FLAGS_directory);
  options.capacity = kWorkers;
  return ServeOne(*workers, kName, options);
}

struct Figures : OpenLoopFigures {
  double of_capacity = 0;
  double server_mib = 0, client_mib = 0;  // gained
};

// A server of its own for each run: nothing is left of the one before.
absl::StatusOr<Figures> Measure(bool ours, double calls_per_second) {
  const absl::StatusOr<TemporaryDirectory> directory = TemporaryDirectory::Create();
  if (!directory.ok()) return directory.status();
  const absl::StatusOr<OneService> server = StartOneService(
      "server", {"--role=server", absl::StrCat("--directory=", ours ? directory->path() : "")});
  if (!server.ok()) return server.status();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  ChannelOptions options;
  options.rendezvous_directory = directory->path();
  options.max_waiting_calls = static_cast<size_t>(absl::GetFlag(FLAGS_waiting));
  const auto channel = grpc::CreateCustomChannel(
      ours ? kName : server->tcp_address,
      ours ? ChannelCredentials(options) : grpc::InsecureChannelCredentials(), arguments);
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(30))) {
    return absl::UnavailableError("the server is not reached; its log says why");
  }
  const double seconds = absl::GetFlag(FLAGS_seconds);
  RunOpenLoop(channel, {0.5 * kCapacity, std::min(1.0, seconds), kDeadline});  // warms up
  const PeakMemory server_memory(server->process->pid()), client_memory(getpid());
  Figures figures{RunOpenLoop(channel, {calls_per_second, seconds, kDeadline})};
  figures.of_capacity = figures.ok_per_second / kCapacity;
  figures.server_mib = server_memory.GainedMiB();
  figures.client_mib = client_memory.GainedMiB();
  return figures;
}

absl::StatusOr<int> Coordinate() {
  struct Kind {
    const char* name;
    bool ours;
    double load;
    Medians<Figures> runs = {};
  };
  std::vector<Kind> kinds = {{"direct calls with a capacity, 80 %", true, 0.8},
                             {"direct calls with a capacity, 300 %", true, 3},
                             {"tcp, 80 %", false, 0.8},
                             {"tcp, 300 %", false, 3}};
  for (int round = 0; round < std::max(absl::GetFlag(FLAGS_rounds), 1); ++round) {
    for (Kind& kind : kinds) {
      const absl::StatusOr<Figures> figures = Measure(kind.ours, kind.load * kCapacity);
      if (!figures.ok()) return figures.status();
      kind.runs.Add(*figures);
    }
  }
  Table table({"load", "OK/s", "of capacity", "p50 ms", "p99 ms", "p99 to 80 %", "refused", "late",
               "failed", "server MiB", "client MiB"},
              1);
  for (size_t i = 0; i < kinds.size(); ++i) {
    const Medians<Figures>& runs = kinds[i].runs;
    table.AddRow({kinds[i].name, runs.Text(&Figures::ok_per_second, 0),
                  runs.Percent(&Figures::of_capacity), runs.Text(&Figures::p50_ms),
                  runs.Text(&Figures::p99_ms), runs.Ratio(&Figures::p99_ms, kinds[i / 2 * 2].runs),
                  runs.Percent(&Figures::refused), runs.Percent(&Figures::late),
                  runs.Percent(&Figures::failed), runs.Text(&Figures::server_mib, 1),
                  runs.Text(&Figures::client_mib, 1)});
  }
  absl::PrintF("a server for %.0f calls a second; medians of %d runs of %.0f s\n%s", kCapacity,
               absl::GetFlag(FLAGS_rounds), absl::GetFlag(FLAGS_seconds), table.ToString());
  return 0;
}

}  // namespace
}  // namespace grpc_cxl::bench

int main(int argc, char** argv) {
  using namespace grpc_cxl::bench;  // NOLINT: main() is part of it
  return BenchMain(argc, argv,
                   {.name = "capacity",
                    .usage = "a server that is asked three times what it can do",
                    .roles = {{"server", ServerMain}},
                    .coordinate = Coordinate});
}
