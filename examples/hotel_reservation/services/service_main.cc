// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/services/service_main.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <deque>
#include <iostream>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/log/initialize.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/hotel_reservation/hotels.grpc.pb.h"
#include "examples/hotel_reservation/services/journal.h"
#include "examples/hotel_reservation/services/transport.h"
#include "grpc_cxl/direct_calls.h"

ABSL_FLAG(std::string, transport, "cxl", "tcp, unix, cxl or auto");
ABSL_FLAG(std::string, base, "",
          "addresses of all services: a first port, or the beginning of hosts' names and a first "
          "port (tcp, auto), a folder (unix), or a prefix of names (cxl); empty: 7100, a folder in "
          "the temporary directory, or hotel");
ABSL_FLAG(uint32_t, capacity, 0,
          "calls that a service serves at a time, on cxl and auto; others wait; 0: any number");
ABSL_FLAG(std::string, db, "",
          "the SQLite file with the data, created if missing; empty: a temporary file");
ABSL_FLAG(std::string, journal, "",
          "a file or device, as large as it shall be, for the x-request-id and method of each call "
          "that has one; empty: none");

namespace hotel_reservation {
namespace {

class UsageService : public Usage::CallbackService {
 public:
  explicit UsageService(const CallCounter& calls) : calls_(calls) {}

 private:
  grpc::ServerUnaryReactor* Read(grpc::CallbackServerContext* context, const UsageRequest*,
                                 UsageReply* reply) override {
    timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    reply->set_calls(calls_.Get());
    reply->set_cpu_ns(int64_t{cpu.tv_sec} * 1'000'000'000 + cpu.tv_nsec);
    reply->set_pid(getpid());
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  const CallCounter& calls_;
};

// A service that serves until its end.
class Serving {
 public:
  absl::Status Start(const ServiceProgram& program, const AddressBook& addresses) {
    const std::string address = addresses.ListeningAddressOf(program.name);
    ServiceOr service = program.make({addresses, absl::GetFlag(FLAGS_db), &calls_});
    if (!service.ok()) return service.status();
    service_ = *std::move(service);
    grpc::ServerBuilder builder;
    if (const std::string path = absl::GetFlag(FLAGS_journal); !path.empty()) {
      absl::StatusOr<std::shared_ptr<Journal>> journal = Journal::Open(path);
      if (!journal.ok()) return journal.status();
      std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
      creators.push_back(NoteCalls(*std::move(journal)));
      builder.experimental().SetInterceptorCreators(std::move(creators));
    }
    int port = 0;
    builder.AddListeningPort(address, ServerCredentials(addresses, absl::GetFlag(FLAGS_capacity)),
                             &port);
    builder.RegisterService(service_.get());
    builder.RegisterService(&usage_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) {
      return absl::UnavailableError(absl::StrCat(
          "Cannot listen on ", address, ", see the log above: choose another --base, or end the ",
          "program that listens there."));
    }
    if (absl::Status started = Started(addresses, *server_); !started.ok()) return started;
    if (program.started) {
      absl::StatusOr<std::shared_ptr<void>> started = program.started(*server_);
      if (!started.ok()) return started.status();
      companion_ = *std::move(started);
    }
    std::cout << program.name << " listens on " << address << std::endl;
    return absl::OkStatus();
  }

  void Shutdown(absl::Time deadline) {
    companion_.reset();
    grpc_cxl::Shutdown(*server_, deadline);
  }

 private:
  CallCounter calls_;
  UsageService usage_{calls_};
  std::shared_ptr<grpc::Service> service_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<void> companion_;
};

absl::Status Serve(const std::vector<ServiceProgram>& programs, const sigset_t& stop_signals) {
  const absl::StatusOr<AddressBook> addresses =
      AddressBook::Make(absl::GetFlag(FLAGS_transport), absl::GetFlag(FLAGS_base));
  if (!addresses.ok()) return addresses.status();
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  std::deque<Serving> services;
  for (const ServiceProgram& program : programs) {
    if (absl::Status started = services.emplace_back().Start(program, *addresses); !started.ok()) {
      return started;
    }
  }
  int signal;
  sigwait(&stop_signals, &signal);
  const absl::Time deadline = absl::Now() + absl::Seconds(2);
  // Callers first.
  for (auto it = services.rbegin(); it != services.rend(); ++it) it->Shutdown(deadline);
  return absl::OkStatus();
}

}  // namespace

int ServiceMain(int argc, char** argv, const std::vector<ServiceProgram>& programs) {
  const std::string name = programs.size() == 1 ? programs[0].name : "together";
  absl::SetProgramUsageMessage(absl::StrCat(name, ", of hotel reservation"));
  absl::ParseCommandLine(argc, argv);
  absl::InitializeLog();
#ifdef NDEBUG
  // Debian builds Abseil without NDEBUG; looking for deadlocks then takes a tenth of the CPU time.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
#endif
  sigset_t stop_signals;  // for sigwait(); blocked before there are threads
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGINT);
  sigaddset(&stop_signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop_signals, nullptr);
  const absl::Status status = Serve(programs, stop_signals);
  if (status.ok()) return 0;
  std::cerr << name << ": " << status.message() << std::endl;
  return 1;
}

}  // namespace hotel_reservation
