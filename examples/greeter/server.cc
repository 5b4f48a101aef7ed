// SPDX-License-Identifier: Apache-2.0
// A gRPC server that the clients of its host reach through memory, and on a network address all
// others as well:
//
//   ./bazelw run //examples/greeter:server -- --address=127.0.0.1:50051
//   ./bazelw run //examples/greeter:server -- --address=cxl:///greeter

#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <iostream>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/match.h"
#include "examples/greeter/calling_greeter.h"
#include "examples/greeter/greeter_service.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/server_builder.h"
#include "grpc_cxl/server_credentials.h"

ABSL_FLAG(std::string, address, "cxl:///greeter",
          "address to listen on; TCP port 0 is any free port");
ABSL_FLAG(bool, direct_calls, true, "let unary calls bypass HTTP/2");

ABSL_FLAG(bool, call_back, false,
          "ask each client for a greeting as well (client.cc, --serve_back)");

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  std::string address = absl::GetFlag(FLAGS_address);

  sigset_t stop_signals;  // taken by sigwait() below, so that Ctrl-C ends in Shutdown()
  sigemptyset(&stop_signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&stop_signals, signal);
  sigprocmask(SIG_BLOCK, &stop_signals, nullptr);

  greeter::GreeterService answers;
  greeter::CallingGreeter asks;
  grpc::Service* const service =
      absl::GetFlag(FLAGS_call_back) ? static_cast<grpc::Service*>(&asks) : &answers;
  grpc_cxl::ServerOptions options;
  options.direct_calls = absl::GetFlag(FLAGS_direct_calls);
  grpc_cxl::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address, grpc_cxl::ServerCredentials(options), &port);
  builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;  // the log says why
  if (absl::EndsWith(address, ":0")) address.replace(address.size() - 1, 1, std::to_string(port));
  std::cout << "Listening on " << address << "; Ctrl-C ends it." << std::endl;

  int signal;
  sigwait(&stop_signals, &signal);
  grpc_cxl::Shutdown(*server);
}
