// Greets over TCP, a unix socket and shared memory, and compares. See the first lines that
// it prints, and server.cc and client.cc for what a program of your own looks like.

#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/log/initialize.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "bench/experiments/rounds.h"
#include "bench/harness/interrupt.h"
#include "bench/harness/process_pair.h"
#include "bench/harness/transport.h"
#include "bench/report/table.h"
#include "bench/roles/client_main.h"
#include "bench/roles/server_main.h"
#include "bench/roles/workload.h"
#include "examples/greeter/greeter_service.h"

ABSL_FLAG(int, rounds, 10, "how often each transport takes its turn");
ABSL_FLAG(double, seconds, 0.3, "how long a turn takes");
ABSL_FLAG(std::string, role, "", "internal: what a child process is to do");

namespace greeter {
namespace {

namespace bench = grpc_cxl::bench;

class GreeterCaller : public bench::Caller {
 public:
  explicit GreeterCaller(std::shared_ptr<grpc::Channel> channel)
      : stub_(Greeter::NewStub(std::move(channel))) {
    request_.set_name("world");
  }

  grpc::Status Call() override {
    grpc::ClientContext context;
    return stub_->SayHello(&context, request_, &reply_);
  }

 private:
  std::unique_ptr<Greeter::Stub> stub_;
  HelloRequest request_;
  HelloReply reply_;
};

class GreeterWorkload : public bench::Workload {
 public:
  std::unique_ptr<grpc::Service> MakeService(const std::string&) override {
    return std::make_unique<GreeterService>();
  }
  std::unique_ptr<bench::Caller> MakeCaller(std::shared_ptr<grpc::Channel> channel,
                                            const bench::Case&) override {
    return std::make_unique<GreeterCaller>(std::move(channel));
  }
};

absl::Status Compare() {
  bench::CatchInterrupts();
  const bench::Effort effort{absl::GetFlag(FLAGS_rounds), absl::GetFlag(FLAGS_seconds)};
  absl::PrintF(
      "The same gRPC service and the same generated stub over TCP, a unix socket and shared "
      "memory.\n"
      "They differ only in the address and the credentials that they are given, and cxl_direct\n"
      "in one line more, EnableDirectCalls() (see examples/greeter/server.cc and client.cc). For\n"
      "each, a client process says hello to a server process on this machine,\n"
      "one call after the other; they take turns, %d rounds of %g s each.\n\n",
      effort.rounds, effort.seconds);
  std::fflush(stdout);

  std::vector<bench::PairGroup> pairs;
  for (const std::string transport : {"tcp", "unix", "cxl", "cxl_direct"}) {
    const auto waits = bench::Waits(transport, {"adaptive"});
    if (!waits.ok()) return waits.status();
    absl::StatusOr<std::unique_ptr<bench::ProcessPair>> pair = bench::ProcessPair::Start(
        {.transport = transport, .wait = waits->front(), .service = "greeter"});
    if (!pair.ok()) return pair.status();
    pairs.emplace_back().push_back(*std::move(pair));
  }
  bench::Case what;
  what.set_api("sync");
  what.set_concurrency(1);
  std::vector<bench::PairGroup*> turns;
  for (bench::PairGroup& pair : pairs) turns.push_back(&pair);
  const absl::StatusOr<std::vector<bench::Row>> rows = bench::MeasureInRounds(turns, what, effort);
  if (!rows.ok()) return rows.status();

  bench::Table table(
      {"transport", "address", "p50 us", "p99 us", "calls/s", "CPU us/call", "p50 / TCP's"}, 2);
  for (size_t i = 0; i < pairs.size(); ++i) {
    const bench::Row& row = (*rows)[i];
    table.AddRow({row.transport(), pairs[i].front()->path().address(),
                  absl::StrFormat("%.1f", row.p50_us()), absl::StrFormat("%.1f", row.p99_us()),
                  absl::StrFormat("%.0f", row.calls_per_s()),
                  absl::StrFormat("%.1f", row.cpu_us_per_call()),
                  absl::StrFormat("%.2f", row.p50_us() / rows->front().p50_us())});
  }
  absl::PrintF(
      "%s\np50, p99: half of the calls, and 99 of 100, took no longer than this many "
      "microseconds.\n"
      "CPU: of both processes together. Last column: below 1 is faster than TCP.\n",
      table.ToString());
#ifndef NDEBUG
  absl::PrintF("This build is not optimized: `./bazelw run -c opt //examples/greeter:demo`.\n");
#endif
  return absl::OkStatus();
}

int Main() {
  GreeterWorkload greeter;
  const std::string role = absl::GetFlag(FLAGS_role);
  if (role == "server") return bench::ServerMain(greeter);
  if (role == "client") return bench::ClientMain(greeter);
  const absl::Status status = Compare();
  if (status.ok()) return 0;
  absl::FPrintF(stderr, "demo: %s\n", status.message());
  return absl::IsCancelled(status) ? 130 : 1;  // 130: what a shell expects after Ctrl-C
}

}  // namespace
}  // namespace greeter

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  absl::InitializeLog();
  return greeter::Main();
}
