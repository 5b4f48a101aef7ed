// SPDX-License-Identifier: Apache-2.0

// What does a server do that is asked three times what it can? Direct calls to one with a capacity,
// beside TCP. The server has four workers, each of which takes 8 ms for a call; the capacity is
// four. Calls come at random times, with a deadline. Latencies are those of calls that end OK, and
// count from the moment at which the call was due.
//
//   ./bazelw run -c opt //bench:capacity
//   ./bazelw run -c opt //bench:capacity -- --seconds=30 --rounds=5

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <random>
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
  std::unique_ptr<grpc::Server> server;
  return AnswerRequests([&](const Request&) -> absl::StatusOr<Reply> {
    ServerOptions options;
    options.rendezvous_directory = absl::GetFlag(FLAGS_directory);
    options.capacity = kWorkers;
    const bool ours = !options.rendezvous_directory.empty();
    grpc_cxl::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(ours ? kName : "127.0.0.1:0",
                             ours ? ServerCredentials(options) : grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(workers);
    server = builder.BuildAndStart();
    if (server == nullptr) return absl::UnavailableError("cannot listen; its log says why");
    Reply reply;
    reply.mutable_server_started()->set_address(absl::StrCat("127.0.0.1:", port));
    return reply;
  });
}

struct Figures {
  double goodput = 0;  // calls a second that end OK
  double p50_ms = 0, p99_ms = 0;
  double refused = 0, late = 0, failed = 0;  // of all calls
};

// Calls for so long.
class Load {
 public:
  explicit Load(const std::shared_ptr<grpc::Channel>& channel) : stub_(Echo::NewStub(channel)) {}

  Figures Run(double calls_per_second, double seconds) {
    std::minstd_rand random(std::random_device{}());
    std::exponential_distribution<double> pause(calls_per_second);
    const Clock::time_point begin = Clock::now();
    double at = 0, calls = 0;
    for (; at < seconds; at += pause(random), ++calls) {
      const auto due =
          begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(at));
      std::this_thread::sleep_until(due);
      Begin(due);
    }
    absl::MutexLock lock(mu_);
    mu_.Await(absl::Condition(
        +[](int* n) { return *n == 0; }, &running_));
    std::sort(ms_.begin(), ms_.end());
    Figures figures{.goodput = static_cast<double>(ms_.size()) / seconds,
                    .refused = refused_ / calls,
                    .late = late_ / calls,
                    .failed = failed_ / calls};
    if (ms_.empty()) return figures;
    figures.p50_ms = ms_[ms_.size() / 2];
    figures.p99_ms = ms_[ms_.size() * 99 / 100];
    return figures;
  }

 private:
  struct OneCall {
    grpc::ClientContext context;
    Payload request, response;
  };

  void Begin(Clock::time_point due) {
    auto* const call = new OneCall;
    call->request.set_data(std::string(64, 'x'));
    call->context.set_deadline(std::chrono::system_clock::now() + kDeadline);
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
                           Count(status, took.count());
                           --running_;
                         });
  }
  void Count(const grpc::Status& status, double ms) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (status.ok()) {
      ms_.push_back(ms);
    } else if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {
      ++refused_;
    } else if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
      ++late_;
    } else {
      ++failed_;
    }
  }

  const std::unique_ptr<Echo::Stub> stub_;
  absl::Mutex mu_;
  int running_ ABSL_GUARDED_BY(mu_) = 0;
  double refused_ ABSL_GUARDED_BY(mu_) = 0, late_ ABSL_GUARDED_BY(mu_) = 0;
  double failed_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<double> ms_ ABSL_GUARDED_BY(mu_);
};

// A server of its own for each run: nothing is left of the one before.
absl::StatusOr<Figures> Measure(bool ours, double calls_per_second) {
  const absl::StatusOr<TemporaryDirectory> directory = TemporaryDirectory::Create();
  if (!directory.ok()) return directory.status();
  const auto server = ChildProcess::Start(
      "server", {"--role=server", absl::StrCat("--directory=", ours ? directory->path() : "")},
      absl::Milliseconds(100));
  if (!server.ok()) return server.status();
  Request start;
  start.mutable_start_server();
  const absl::StatusOr<Reply> started = (*server)->Ask(start, absl::Seconds(30));
  if (!started.ok()) return started.status();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  ChannelOptions options;
  options.rendezvous_directory = directory->path();
  options.max_waiting_calls = static_cast<size_t>(absl::GetFlag(FLAGS_waiting));
  const auto channel = grpc::CreateCustomChannel(
      ours ? kName : started->server_started().address(),
      ours ? ChannelCredentials(options) : grpc::InsecureChannelCredentials(), arguments);
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(30))) {
    return absl::UnavailableError("the server is not reached; its log says why");
  }
  Load(channel).Run(0.5 * kCapacity, std::min(1.0, absl::GetFlag(FLAGS_seconds)));  // warms up
  return Load(channel).Run(calls_per_second, absl::GetFlag(FLAGS_seconds));
}

absl::StatusOr<int> Coordinate() {
  struct Kind {
    const char* name;
    bool ours;
    double load;
    std::vector<Figures> runs = {};
  };
  std::vector<Kind> kinds = {{"direct calls with a capacity, 80 %", true, 0.8},
                             {"direct calls with a capacity, 300 %", true, 3},
                             {"tcp, 80 %", false, 0.8},
                             {"tcp, 300 %", false, 3}};
  for (int round = 0; round < std::max(absl::GetFlag(FLAGS_rounds), 1); ++round) {
    for (Kind& kind : kinds) {
      const absl::StatusOr<Figures> figures = Measure(kind.ours, kind.load * kCapacity);
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
  Table table(
      {"load", "OK/s", "of capacity", "p50 ms", "p99 ms", "to 80 %", "refused", "late", "failed"},
      1);
  for (size_t i = 0; i < kinds.size(); ++i) {
    const auto percent = [&](double Figures::*figure) {
      return absl::StrFormat("%.0f %%", 100 * median(kinds[i], figure));
    };
    const double goodput = median(kinds[i], &Figures::goodput);
    const double p99 = median(kinds[i], &Figures::p99_ms);
    table.AddRow({kinds[i].name, absl::StrFormat("%.0f", goodput),
                  absl::StrFormat("%.0f %%", 100 * goodput / kCapacity),
                  absl::StrFormat("%.2f", median(kinds[i], &Figures::p50_ms)),
                  absl::StrFormat("%.2f", p99),
                  absl::StrFormat("%.2f", p99 / median(kinds[i / 2 * 2], &Figures::p99_ms)),
                  percent(&Figures::refused), percent(&Figures::late), percent(&Figures::failed)});
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
