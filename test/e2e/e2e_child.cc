// SPDX-License-Identifier: Apache-2.0

// A process for the tests of faults, users and namespaces: a server or a client of the
// Echo service. Prints a line for each thing that has happened (see the roles below) and
// ends when its standard input does.

#include <fcntl.h>
#include <ifaddrs.h>
#include <malloc.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <iostream>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/log/check.h"
#include "absl/log/globals.h"
#include "absl/log/initialize.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpc_cxl/options.h"
#include "grpc_cxl/serve_back.h"
#include "grpc_cxl/server_builder.h"
#include "test/e2e/blobs_server.h"
#include "test/e2e/client_call.h"
#include "test/e2e/echo_call.h"
#include "test/e2e/echo_pair.h"
#include "test/e2e/lambda_server.h"
#include "test/e2e/transport.h"

ABSL_FLAG(std::string, role, "", "see kRoles");
ABSL_FLAG(std::string, transport, "cxl", "tcp, unix, cxl or cxl_direct");
ABSL_FLAG(std::string, place, "", "Transport::place()");
ABSL_FLAG(int, uid, -1, "the user to become, or -1");
ABSL_FLAG(bool, own_namespaces, false,
          "in network, mount, IPC and PID namespaces of its own, from which only the place or, if "
          "there is one, the region of GRPC_CXL_REGION can be written");
ABSL_FLAG(std::string, journal, "", "journal_server: the file in which calls are noted");
ABSL_FLAG(bool, replica, false, "journal_server: be one of several");
ABSL_FLAG(std::string, arena_directory, "", "server: keep arenas in files of this directory");
ABSL_FLAG(std::string, memory_group, "", "join the control group with this cgroup.procs");
ABSL_FLAG(int, calls, 0, "crowd_client: how many");
ABSL_FLAG(int, announce_at_gate, 0, "server: print a line when so many calls wait at the gate");

namespace grpc_cxl::e2e {
namespace {

constexpr int kNotPermitted = 77;  // exit code

void Say(const std::string& line) {
  static absl::Mutex mu;  // a line at a time
  absl::MutexLock lock(mu);
  std::cout << absl::StrReplaceAll(line, {{"\n", " "}}) << std::endl;
}

// Answers every byte of input with "heap " and the bytes that are allocated at the moment.
void AwaitEndOfInput() {
  char request;
  while (read(STDIN_FILENO, &request, 1) > 0) {
    const struct mallinfo2 heap = mallinfo2();
    Say(absl::StrCat("heap ", heap.uordblks + heap.hblkhd));
  }
}

int InterfacesUp() {
  ifaddrs* interfaces;
  PCHECK(getifaddrs(&interfaces) == 0);
  int up = 0;
  for (const ifaddrs* i = interfaces; i != nullptr; i = i->ifa_next) up += i->ifa_flags & IFF_UP;
  freeifaddrs(interfaces);
  return up;
}

void MustMount(const char* source, const char* target, const char* type, unsigned long flags) {
  PCHECK(mount(source, target, type, flags, nullptr) == 0) << target;
}

// Before anything else, while there is only one thread. Returns where `shared`, a directory or
// a file, is now.
std::string EnterOwnNamespaces(const std::string& shared) {
  const int flags = CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID;
  if (unshare(flags | (geteuid() == 0 ? 0 : CLONE_NEWUSER)) != 0) {
    Say(absl::StrCat("no namespace: ", strerror(errno)));
    _exit(kNotPermitted);
  }
  // The new process namespace begins with our child; we only wait for it.
  const pid_t child = fork();
  PCHECK(child >= 0);
  if (child > 0) {
    int status;
    PCHECK(waitpid(child, &status, 0) == child);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int file = open(shared.c_str(), O_PATH | O_CLOEXEC);
  struct stat kind;
  PCHECK(file >= 0 && fstat(file, &kind) == 0) << shared;
  MustMount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE);
  // Fresh memory where processes usually leave things for each other; all else is read only.
  MustMount("shm", "/dev/shm", "tmpfs", 0);
  MustMount("tmp", "/tmp", "tmpfs", 0);
  const char* const here = "/tmp/shared";
  PCHECK(mknod(here, S_IFREG | 0600, 0) == 0);
  if (S_ISDIR(kind.st_mode)) PCHECK(unlink(here) == 0 && mkdir(here, 0700) == 0);
  MustMount(absl::StrCat("/proc/self/fd/", file).c_str(), here, nullptr, MS_BIND);
  close(file);
  MustMount("proc", "/proc", "proc", 0);  // of the new process namespace
  MustMount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY);
  CHECK_NE(access("/", W_OK), 0);
  for (const char* variable : {"GRPC_CXL_DIR", "XDG_RUNTIME_DIR", "TEST_TMPDIR"}) {
    unsetenv(variable);
  }
  Say(absl::StrCat("alone, as process ", getpid(), ", with ", InterfacesUp(), " interfaces up"));
  return here;
}

std::unique_ptr<Transport> JoinTransport(const ServerOptions& options = {}) {
  for (const TransportKind kind : kTestedTransports) {
    if (Name(kind) != absl::GetFlag(FLAGS_transport)) continue;
    return Transport::Join(kind, absl::GetFlag(FLAGS_place), options);
  }
  LOG(FATAL) << "no transport " << absl::GetFlag(FLAGS_transport);
}

// "serving"; maybe "at gate"; at the end a summary.
int RunServer() {
  ServerOptions options;
  if (const std::string directory = absl::GetFlag(FLAGS_arena_directory); !directory.empty()) {
    options.backing = {ArenaBacking::Kind::kDirectory, directory};
  }
  const auto server = EchoServer::Start(*JoinTransport(options));
  CHECK(server != nullptr);
  Say("serving");
  if (const int wanted = absl::GetFlag(FLAGS_announce_at_gate); wanted > 0) {
    server->control().AwaitAtGate(wanted, absl::InfiniteDuration());
    Say("at gate");
  }
  AwaitEndOfInput();
  const ServiceControl::Counts counts = server->control().counts();
  Say(absl::StrCat(counts.started, " calls, ", counts.cancelled, " of them cancelled"));
  return 0;
}

// "serving". Appends the payload of every call as a line to the journal before it answers.
int RunJournalServer() {
  const int journal =
      open(absl::GetFlag(FLAGS_journal).c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  PCHECK(journal >= 0);
  ServerOptions options;
  options.replicas = absl::GetFlag(FLAGS_replica);
  const auto transport = JoinTransport(options);
  const LambdaServer server(*transport, [journal](auto*, const EchoRequest& request, auto*) {
    const std::string line = request.payload() + "\n";
    PCHECK(write(journal, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
    return grpc::Status::OK;
  });
  Say("serving");
  AwaitEndOfInput();
  return 0;
}

// One call of each kind: its name, the status code, the message.
int RunClient() {
  const auto stub = Echo::NewStub(MakeChannel(*JoinTransport()));
  for (const RpcKind kind : kAllRpcKinds) {
    ClientCall call = CallOfSize(100'000);
    call.kind = kind;
    call.requests[0].mutable_script()->set_response_count(1);
    const Outcome outcome = Perform(stub.get(), call);
    if (outcome.status.ok()) {
      CHECK_EQ(outcome.responses.at(0).payload(), call.requests[0].payload());
    }
    Say(absl::StrCat(Name(kind), " ", outcome.status.error_code(), " ",
                     outcome.status.error_message()));
  }
  AwaitEndOfInput();
  return 0;
}

// One call of each kind, all at once, that wait at the gate.
int RunHangingClient() {
  const auto channel = MakeChannel(*JoinTransport());
  const auto stub = Echo::NewStub(channel);
  Connect(*channel);
  for (const RpcKind kind : kAllRpcKinds) {
    std::thread([&stub, kind] { Perform(stub.get(), CallThatWaitsAtGate(kind)); }).detach();
  }
  AwaitEndOfInput();
  _exit(0);
}

// So many unary calls at once, with the numbers from 0 as payload; how many ended OK.
int RunCrowdClient() {
  const auto channel = MakeChannel(*JoinTransport());
  const auto stub = Echo::NewStub(channel);
  Connect(*channel);
  struct Call {
    grpc::ClientContext context;
    EchoRequest request;
    EchoResponse response;
  };
  std::vector<Call> calls(absl::GetFlag(FLAGS_calls));
  std::atomic<int> ok{0};
  absl::BlockingCounter left(absl::GetFlag(FLAGS_calls));
  for (size_t i = 0; i < calls.size(); ++i) {
    calls[i].request.set_payload(absl::StrCat(i));
    stub->async()->Unary(&calls[i].context, &calls[i].request, &calls[i].response,
                         [&](const grpc::Status& status) {
                           if (status.ok()) ++ok;
                           left.DecrementCount();
                         });
  }
  Say("called");
  left.Wait();
  Say(absl::StrCat(ok.load(), " OK"));
  AwaitEndOfInput();
  return 0;
}

// Calls of all kinds and sizes without end on two connections; "calling" after the first.
int RunBusyClient() {
  const auto transport = JoinTransport();
  for (int i = 0; i < 2; ++i) {
    std::thread([&transport, i] {
      const auto stub = Echo::NewStub(MakeChannel(*transport, OwnConnection()));
      std::minstd_rand random(getpid() + i);
      for (bool said = false;;) {
        ClientCall call = CallOfSize(size_t{1} << random() % 20);
        call.kind = kAllRpcKinds[random() % 4];
        call.requests[0].mutable_script()->set_response_count(10);
        if (!Perform(stub.get(), call).status.ok() || said) continue;
        Say("calling");
        said = true;
      }
    }).detach();
  }
  AwaitEndOfInput();
  _exit(0);
}

// "serving". The handler of Unary calls its caller back, with a call of each kind, and says how
// each has ended.
int RunCallingServer() {
  const LambdaServer server(*JoinTransport(), [](auto* context, const auto&, auto* response) {
    const auto peer = ChannelToPeer(*context);
    if (!peer.ok()) {
      return grpc::Status(grpc::StatusCode::INTERNAL, std::string(peer.status().message()));
    }
    const auto stub = Echo::NewStub(*peer);
    for (const RpcKind kind : kAllRpcKinds) {
      ClientCall call = CallOfSize(20'000);
      call.kind = kind;
      call.requests[0].mutable_script()->set_response_count(1);
      const Outcome outcome = Perform(stub.get(), call);
      if (!outcome.status.ok()) return outcome.status;
      response->mutable_payload()->append(absl::StrCat(Name(kind), " "));
    }
    return grpc::Status::OK;
  });
  Say("serving");
  AwaitEndOfInput();
  return 0;
}

// Serves an Echo service back and makes a call: its response, or how it has ended. At the end how
// many calls came.
int RunServedClient() {
  const auto service = EchoService::Make(ServerApi::kCallback);
  ServerBuilder builder;
  service->Register(&builder);
  const auto server = builder.BuildAndStart();
  const auto stub = Echo::NewStub(MakeChannel(*JoinTransport(), ServingBack(*server)));
  const Outcome outcome = Perform(stub.get(), {.prepare = Patiently()});
  Say(outcome.status.ok() ? absl::StrCat("called ", outcome.responses[0].payload())
                          : outcome.status.error_message());
  AwaitEndOfInput();
  Say(absl::StrCat(service->control().counts().started, " calls"));
  return 0;
}

// "serving". Large messages.
int RunBlobsServer() {
  const BlobsServer server(*JoinTransport());
  Say("serving");
  AwaitEndOfInput();
  return 0;
}

// "done" after three calls of 1 MiB.
int RunBlobsClient() {
  const auto channel = MakeChannel(*JoinTransport());
  Connect(*channel);
  const auto stub = Blobs::NewStub(channel);
  for (uint64_t i = 0; i < 3; ++i) {
    Blob request, response;
    request.set_data(Pattern(size_t{1} << 20, i));
    grpc::ClientContext context;
    const grpc::Status status = stub->Swap(&context, request, &response);
    CHECK(status.ok()) << status.error_message();
  }
  Say("done");
  AwaitEndOfInput();
  return 0;
}

const std::map<std::string, int (*)()> kRoles = {
    {"server", RunServer},
    {"journal_server", RunJournalServer},
    {"client", RunClient},
    {"hanging_client", RunHangingClient},
    {"crowd_client", RunCrowdClient},
    {"busy_client", RunBusyClient},
    {"blobs_server", RunBlobsServer},
    {"blobs_client", RunBlobsClient},
    {"calling_server", RunCallingServer},
    {"served_client", RunServedClient},
};

int Main() {
  signal(SIGPIPE, SIG_IGN);
  if (const std::string group = absl::GetFlag(FLAGS_memory_group); !group.empty()) {
    const std::string self = absl::StrCat(getpid());
    const int processes = open(group.c_str(), O_WRONLY | O_CLOEXEC);
    PCHECK(write(processes, self.data(), self.size()) == static_cast<ssize_t>(self.size()));
    close(processes);
  }
  if (const int uid = absl::GetFlag(FLAGS_uid); uid >= 0) {
    if (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0) {
      Say(absl::StrCat("no other user: ", strerror(errno)));
      return kNotPermitted;
    }
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // also when we are stopped; after the change of user
  if (absl::GetFlag(FLAGS_own_namespaces)) {
    if (const char* const region = getenv("GRPC_CXL_REGION"); region != nullptr) {
      setenv("GRPC_CXL_REGION", EnterOwnNamespaces(region).c_str(), 1);
    } else {
      absl::SetFlag(&FLAGS_place, EnterOwnNamespaces(absl::GetFlag(FLAGS_place)));
    }
  }
  return kRoles.at(absl::GetFlag(FLAGS_role))();
}

}  // namespace
}  // namespace grpc_cxl::e2e

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  absl::SetMinLogLevel(absl::LogSeverityAtLeast::kError);
  absl::InitializeLog();
  return grpc_cxl::e2e::Main();
}
