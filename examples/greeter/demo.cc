// SPDX-License-Identifier: Apache-2.0
// Times greetings over TCP, a unix socket and shared memory. For each, the program of server.cc
// serves and another process calls.
//
//   ./bazelw run -c opt //examples/greeter:demo

#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/log/check.h"
#include "absl/log/initialize.h"
#include "absl/log/log.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "examples/greeter/greeter.grpc.pb.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/connection_status.h"

ABSL_FLAG(int, rounds, 10, "turns of each transport; the table shows medians over them");
ABSL_FLAG(double, seconds, 0.3, "length of a turn");

namespace greeter {
namespace {

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// A process that runs `body`, and a socket to it. It ends with this object, or with this process.
class Child {
 public:
  explicit Child(const std::function<void(int parent)>& body) {
    int ends[2];
    PCHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const pid_t parent = getpid();
    PCHECK((pid_ = fork()) >= 0);  // safe: this process never uses gRPC itself
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGTERM);
      if (getppid() == parent) body(ends[1]);
      _exit(1);
    }
    close(ends[1]);
    socket_ = ends[0];
  }
  Child(const Child&) = delete;
  ~Child() {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
    close(socket_);
  }
  int socket() const { return socket_; }

 private:
  pid_t pid_;
  int socket_;
};

void Serve(const std::string& address, bool direct_calls, int parent) {
  const std::string program =
      std::filesystem::read_symlink("/proc/self/exe").replace_filename("server");
  dup2(parent, STDOUT_FILENO);
  execl(program.c_str(), program.c_str(), absl::StrCat("--address=", address).c_str(),
        direct_calls ? "--direct_calls" : "--nodirect_calls", nullptr);
  PLOG(ERROR) << "Cannot run " << program;
}

struct Turn {
  double us;                   // median time of a call
  double wake_up_us, spin_us;  // as the busiest polling thread has learned; 0: unknown
  grpc_cxl::WaitPolicy policy;
  uint64_t waits, sleeps;  // its own
};

Turn TurnOf(double median) {
  Turn turn{};
  turn.us = median;
  for (const grpc_cxl::PollingThreadStatus& thread : grpc_cxl::GetPollingThreadStatus()) {
    if (thread.waits < turn.waits) continue;
    turn.wake_up_us = absl::ToDoubleMicroseconds(thread.wake_up);
    turn.spin_us = absl::ToDoubleMicroseconds(thread.spin);
    turn.policy = thread.policy;
    turn.waits = thread.waits;
    turn.sleeps = thread.sleeps;
  }
  return turn;
}

// Calls for as many seconds as the parent says and answers with a Turn.
void Call(const std::string& address, int parent) {
  using Clock = std::chrono::steady_clock;
  const auto stub = Greeter::NewStub(grpc::CreateChannel(
      address, absl::StartsWith(address, "cxl:") ? grpc_cxl::ChannelCredentials()
                                                 : grpc::InsecureChannelCredentials()));
  HelloRequest request;
  request.set_name("world");
  HelloReply reply;
  for (double seconds; recv(parent, &seconds, sizeof(seconds), 0) > 0;) {
    std::vector<double> us;
    const Clock::time_point begin = Clock::now();
    Clock::time_point now = begin;
    do {
      grpc::ClientContext context;
      const grpc::Status status = stub->SayHello(&context, request, &reply);
      if (!status.ok()) {
        absl::FPrintF(stderr, "A call to %s failed: %s\n", address, status.error_message());
        return;
      }
      const auto start = std::exchange(now, Clock::now());
      us.push_back(std::chrono::duration<double, std::micro>(now - start).count());
    } while (now - begin < std::chrono::duration<double>(seconds));
    const Turn turn = TurnOf(Median(std::move(us)));
    send(parent, &turn, sizeof(turn), MSG_NOSIGNAL);
  }
}

struct Transport {
  std::string name, address;
  std::unique_ptr<Child> server = {}, client = {};  // the client ends first
  std::vector<double> us = {};                      // a call of each turn
  Turn last = {};

  // False when a process has ended, which has said why.
  bool Start() {
    server = std::make_unique<Child>(
        [this](int parent) { Serve(address, name == "cxl_direct", parent); });
    char line[256] = "", where[256];
    recv(server->socket(), line, sizeof(line) - 1, 0);
    if (std::sscanf(line, "Listening on %255[^;]", where) != 1) return false;
    address = where;
    client = std::make_unique<Child>([this](int parent) { Call(address, parent); });
    const bool connected = Measure(0);
    us.clear();
    return connected;
  }

  bool Measure(double seconds) {
    send(client->socket(), &seconds, sizeof(seconds), MSG_NOSIGNAL);
    if (recv(client->socket(), &last, sizeof(last), 0) <= 0) return false;
    us.push_back(last.us);
    return true;
  }
};

// How the client of `t` has waited for its server.
void PrintWaits(const Transport& t) {
  constexpr const char* kPolicies[] = {"kAdaptive", "kSpin", "kPark"};
  const Turn& turn = t.last;
  absl::PrintF(
      "\nThe client of %s waits by %s: a wake-up takes it %s, it now spins\n"
      "for %.1f us before it sleeps, and it has slept in %.0f %% of its waits.\n",
      t.name, kPolicies[static_cast<int>(turn.policy)],
      turn.wake_up_us > 0 ? absl::StrFormat("%.1f us", turn.wake_up_us)
                          : "a time that it has not learned yet",
      turn.spin_us,
      100. * static_cast<double>(turn.sleeps) /
          static_cast<double>(std::max<uint64_t>(turn.waits, 1)));
}

int Compare(int rounds, double seconds) {
  const std::string name = absl::StrCat("greeter-demo-", getpid());
  Transport transports[] = {{"tcp", "127.0.0.1:0"},
                            {"unix", "unix-abstract:" + name},
                            {"cxl", "cxl:///" + name},
                            {"cxl_direct", "cxl:///" + name + "-direct"}};
  for (int round = 0; round <= rounds; ++round) {
    for (Transport& t : transports) {
      if (round == 0 ? t.Start() : t.Measure(seconds)) continue;
      absl::FPrintF(stderr, "demo: a process of %s has ended; why may be above.\n", t.name);
      return 1;
    }
  }
  absl::PrintF("%-10s  %9s  %6s  %s\n", "transport", "p50 in us", "/ tcp", "address");
  for (const Transport& t : transports) {
    const double us = Median(t.us);
    absl::PrintF("%-10s  %9.1f  %6.2f  %s\n", t.name, us, us / Median(transports[0].us), t.address);
  }
  PrintWaits(transports[2]);
  return 0;
}

}  // namespace
}  // namespace greeter

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("times greetings over TCP, a unix socket and shared memory");
  const std::vector<char*> arguments = absl::ParseCommandLine(argc, argv);
  absl::InitializeLog();
  const int rounds = absl::GetFlag(FLAGS_rounds);
  const double seconds = absl::GetFlag(FLAGS_seconds);
  if (arguments.size() > 1 || rounds < 1 || !(seconds > 0)) {
    absl::FPrintF(stderr, "demo: takes --rounds and --seconds, both above 0, and nothing else.\n");
    return 1;
  }
  absl::PrintF(
      "One service and its generated stub over four transports: only the address and the\n"
      "credentials differ. The server of cxl_direct also offers direct calls. One process\n"
      "serves, another calls again and again; transports take turns, %d rounds of %g s.\n\n",
      rounds, seconds);
#ifndef NDEBUG
  absl::PrintF("NOT an optimized build: use `./bazelw run -c opt //examples/greeter:demo`.\n\n");
#endif
  std::fflush(stdout);
  return greeter::Compare(rounds, seconds);
}
