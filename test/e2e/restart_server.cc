// SPDX-License-Identifier: Apache-2.0

// A server for restart_test.cc and replicas_test.cc: answers each call, and each message of a
// stream, with its number, and whether it came over HTTP/2 (`requests`). Prints "serving"; shuts
// down when another server has taken over, or at the end of its input, and prints how many calls it
// has run.

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <iostream>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/log/check.h"
#include "absl/log/globals.h"
#include "absl/log/initialize.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/server_builder.h"
#include "grpc_cxl/server_credentials.h"
#include "test/e2e/echo.grpc.pb.h"

ABSL_FLAG(std::string, address, "", "where to listen");
ABSL_FLAG(std::string, directory, "", "the rendezvous directory; empty: gRPC's own credentials");
ABSL_FLAG(std::string, number, "", "of this server");
ABSL_FLAG(bool, take_over, false, "ServerOptions::take_over");
ABSL_FLAG(bool, replica, false, "ServerOptions::replicas");
ABSL_FLAG(bool, leave, true, "shut down when another server has taken over");

namespace grpc_cxl::e2e {
namespace {

class Numbered final : public Echo::Service {
 public:
  int calls() const { return calls_; }

 private:
  grpc::Status Unary(grpc::ServerContext* context, const EchoRequest*,
                     EchoResponse* response) override {
    ++calls_;
    response->set_payload(absl::GetFlag(FLAGS_number));
    response->set_requests(context->peer().empty() ? 0 : 1);
    return grpc::Status::OK;
  }

  grpc::Status Bidi(grpc::ServerContext* context,
                    grpc::ServerReaderWriter<EchoResponse, EchoRequest>* stream) override {
    EchoRequest request;
    EchoResponse response;
    while (stream->Read(&request)) {
      Unary(context, &request, &response);
      stream->Write(response);
    }
    return grpc::Status::OK;
  }

  std::atomic<int> calls_{0};
};

int Main() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Numbered service;
  ServerOptions options;
  options.rendezvous_directory = absl::GetFlag(FLAGS_directory);
  options.take_over = absl::GetFlag(FLAGS_take_over);
  options.replicas = absl::GetFlag(FLAGS_replica);
  const bool ours = !options.rendezvous_directory.empty();
  ServerBuilder builder;
  builder.AddListeningPort(absl::GetFlag(FLAGS_address),
                           ours ? ServerCredentials(options) : grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  CHECK(server != nullptr);
  std::cout << "serving" << std::endl;
  pollfd input = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  while (poll(&input, 1, /*ms=*/5) == 0 &&
         !(absl::GetFlag(FLAGS_leave) && AwaitTakeOver(*server, absl::InfinitePast()))) {
  }
  Shutdown(*server, absl::Now() + absl::Seconds(20));
  std::cout << service.calls() << std::endl;
  return 0;
}

}  // namespace
}  // namespace grpc_cxl::e2e

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  absl::SetMinLogLevel(absl::LogSeverityAtLeast::kError);
  absl::InitializeLog();
  return grpc_cxl::e2e::Main();
}
