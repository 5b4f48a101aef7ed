// SPDX-License-Identifier: Apache-2.0

// A process with a server, channels and threads that call all the time, which forks or ends amid
// that. Prints "ok" when nothing went wrong; see kForks and kEnds.

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/log/check.h"
#include "absl/log/globals.h"
#include "absl/log/initialize.h"
#include "absl/time/time.h"
#include "test/e2e/client_call.h"
#include "test/e2e/echo_pair.h"
#include "test/e2e/transport.h"
#include "test/support/eventually.h"

ABSL_FLAG(std::string, transport, "cxl", "tcp, cxl or cxl_direct");
ABSL_FLAG(std::string, fork, "", "see kForks");
ABSL_FLAG(std::string, end, "return", "see kEnds");

namespace grpc_cxl::e2e {
namespace {

constexpr int kForksEach = 4;

std::atomic<int> calls{0};

// As an application keeps them: destroyed after main(), with calls under way.
std::unique_ptr<EchoPair> kept_pair;
std::shared_ptr<grpc::Channel> kept_channel;

// Calls until the process ends.
void CallForEver(EchoPair* pair, ClientApi api, size_t bytes) {
  std::thread([=] {
    ClientCall call = CallOfSize(bytes);
    call.api = api;
    for (;;) {
      const Outcome outcome = pair->Run(call);
      CHECK(outcome.status.ok()) << outcome;
      calls.fetch_add(1, std::memory_order_relaxed);
    }
  }).detach();
}

// Starts a call whose handler waits for ever.
void LeaveCallWaiting(const std::shared_ptr<grpc::Channel>& channel) {
  struct Call {
    std::unique_ptr<Echo::Stub> stub;
    grpc::ClientContext context;
    EchoRequest request;
    EchoResponse response;
  };
  auto* const call = new Call;
  call->stub = Echo::NewStub(channel);
  call->request.mutable_script()->set_wait_at_gate(true);
  call->stub->async()->Unary(&call->context, &call->request, &call->response, [](grpc::Status) {});
}

void AwaitCalls(int more) {
  const int wanted = calls.load(std::memory_order_relaxed) + more;
  CHECK(internal::Eventually([=] { return calls.load(std::memory_order_relaxed) >= wanted; }));
}

// The wait status of a child that runs `child`, for at most a second.
int Fork(void (*child)()) {
  const pid_t pid = fork();
  PCHECK(pid >= 0);
  if (pid == 0) {
    alarm(1);
    child();
    _exit(1);
  }
  int status;
  PCHECK(waitpid(pid, &status, 0) == pid);
  return status;
}

const std::map<std::string, bool (*)()> kForks = {
    {"popen",
     [] {
       FILE* const pipe = popen("true", "r");
       PCHECK(pipe != nullptr);
       return pclose(pipe) == 0;
     }},
    {"system", [] { return system("true") == 0; }},
    {"exec", [] { return Fork([] { execlp("true", "true", nullptr); }) == 0; }},
    // Destroys kept_channel in the child. That may hang, on any transport: a thread that the child
    // does not have may have held a lock of gRPC's.
    {"exit",
     [] {
       const int status = Fork([] { exit(0); });
       return status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
     }},
};

const std::map<std::string, void (*)()> kEnds = {
    {"return", [] {}},
    {"exit", [] { exit(0); }},
    {"quick_exit", [] { quick_exit(0); }},
    {"exit_of_another_thread", [] { std::thread([] { exit(0); }).join(); }},
};

EchoPair* NewPair() {
  for (const TransportKind kind : kTestedTransports) {
    if (Name(kind) == absl::GetFlag(FLAGS_transport)) return new EchoPair(kind);
  }
  LOG(FATAL) << "no transport " << absl::GetFlag(FLAGS_transport);
}

void Main() {
  EchoPair* const busy = NewPair();
  CallForEver(busy, ClientApi::kSync, 100);
  CallForEver(busy, ClientApi::kCallback, 100'000);
  kept_channel = MakeChannel(*busy->transport, OwnConnection());
  Connect(*kept_channel);
  LeaveCallWaiting(kept_channel);
  AwaitCalls(100);
  if (const std::string how = absl::GetFlag(FLAGS_fork); !how.empty()) {
    for (int i = 0; i < kForksEach; ++i) {
      CHECK(kForks.at(how)());
      AwaitCalls(20);
    }
    CHECK(Perform(Echo::NewStub(kept_channel).get(), {}).status.ok());
  } else {
    kept_pair.reset(NewPair());
    LeaveCallWaiting(kept_pair->channel);
    CHECK(kept_pair->control().AwaitAtGate(1));
  }
  std::cout << "ok" << std::endl;
  kEnds.at(absl::GetFlag(FLAGS_end))();
}

}  // namespace
}  // namespace grpc_cxl::e2e

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  absl::SetMinLogLevel(absl::LogSeverityAtLeast::kFatal);
  absl::InitializeLog();
  grpc_cxl::e2e::Main();
  return 0;
}
