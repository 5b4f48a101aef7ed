// SPDX-License-Identifier: Apache-2.0

// A process whose user may have hardly any more threads (RLIMIT_NPROC), with 200 callers at a time
// of handlers that block. Prints "ok" when afterwards a call and the server's end are quick. To be
// started by root, whom the limit does not bind: it takes another real user.

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/log/check.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "test/e2e/echo_pair.h"
#include "test/e2e/lambda_server.h"
#include "test/e2e/transport.h"

ABSL_FLAG(std::string, transport, "cxl", "tcp, cxl or cxl_direct");

namespace grpc_cxl::e2e {
namespace {

constexpr int kCallers = 200;
constexpr absl::Duration kCrowded = absl::Seconds(1);
constexpr absl::Duration kQuick = absl::Seconds(5);  // a few ms, but for a busy machine
constexpr uid_t kOwnUser = 61'234;                   // of nobody else, whose threads would count

// Files are still opened as root: the effective user stays.
void BeSubjectToLimits() {
  PCHECK(setresuid(kOwnUser, 0, 0) == 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2];
  PCHECK(syscall(SYS_capget, &header, sets) == 0);
  for (auto& set : sets) set.inheritable = 0;
  sets[0].effective &= ~(1u << CAP_SYS_ADMIN | 1u << CAP_SYS_RESOURCE);
  PCHECK(syscall(SYS_capset, &header, sets) == 0);
}

// Leaves space for one more thread: without, gRPC itself hangs now and then, over tcp too.
void LimitThreads() {
  const auto threads = std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
  const rlimit limit{static_cast<rlim_t>(threads + 1), static_cast<rlim_t>(threads + 1)};
  PCHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
  absl::Notification end;
  std::vector<std::thread> more;
  bool bound = false;
  try {
    while (more.size() < 10) more.emplace_back([&end] { end.WaitForNotification(); });
  } catch (const std::system_error&) {
    bound = true;
  }
  end.Notify();
  for (std::thread& thread : more) thread.join();
  CHECK(bound) << "the limit does not bind";
}

// Calls until a moment has come.
class Caller {
 public:
  Caller(Echo::Stub* stub, absl::Time until, absl::BlockingCounter* done)
      : stub_(stub), until_(until), done_(done) {}

  void Call() {
    context_ = std::make_unique<grpc::ClientContext>();
    stub_->async()->Unary(context_.get(), &request_, &response_, [this](grpc::Status status) {
      CHECK(status.ok()) << status.error_message();
      absl::Now() < until_ ? Call() : static_cast<void>(done_->DecrementCount());
    });
  }

 private:
  Echo::Stub* const stub_;
  const absl::Time until_;
  absl::BlockingCounter* const done_;
  std::unique_ptr<grpc::ClientContext> context_;
  const EchoRequest request_;
  EchoResponse response_;
};

void ExpectOk(Echo::Stub& stub) {
  grpc::ClientContext context;
  EchoResponse response;
  const grpc::Status status = stub.Unary(&context, {}, &response);
  CHECK(status.ok()) << status.error_message();
}

void RunCrowded(TransportKind kind) {
  std::atomic<bool> crowded = false;
  const auto transport = Transport::Make(kind);
  auto server = std::make_unique<LambdaServer>(*transport, [&](auto*, const auto&, auto*) {
    if (crowded) absl::SleepFor(absl::Milliseconds(10));  // for longer than a thread may block
    return grpc::Status::OK;
  });
  const auto channel = MakeChannel(*transport);
  Connect(*channel);
  const auto stub = Echo::NewStub(channel);
  ExpectOk(*stub);
  LimitThreads();
  crowded = true;

  absl::BlockingCounter done(kCallers);
  std::vector<std::unique_ptr<Caller>> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.push_back(std::make_unique<Caller>(stub.get(), absl::Now() + kCrowded, &done));
    callers.back()->Call();
  }
  done.Wait();
  const absl::Time start = absl::Now();
  ExpectOk(*stub);
  CHECK_LT(absl::Now() - start, kQuick) << "a call";
  server.reset();
  CHECK_LT(absl::Now() - start, 2 * kQuick) << "the server's end";
  std::cout << "ok" << std::endl;
}

}  // namespace
}  // namespace grpc_cxl::e2e

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  grpc_cxl::e2e::BeSubjectToLimits();
  for (const auto kind : grpc_cxl::e2e::kTestedTransports) {
    if (Name(kind) == absl::GetFlag(FLAGS_transport)) grpc_cxl::e2e::RunCrowded(kind);
  }
  return 0;
}
