// A gRPC server whose address decides how its clients reach it:
//
//   ./bazelw run //examples/greeter:server -- --address=cxl:///greeter
//   ./bazelw run //examples/greeter:server -- --address=unix:/tmp/greeter.sock
//   ./bazelw run //examples/greeter:server -- --address=127.0.0.1:50051

#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <iostream>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/match.h"
#include "examples/greeter/greeter_service.h"
#include "grpc_cxl/server_credentials.h"

ABSL_FLAG(std::string, address, "cxl:///greeter", "where to listen");

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  const std::string address = absl::GetFlag(FLAGS_address);

  sigset_t stop_signals;  // taken by sigwait() below, so that Ctrl-C ends in Shutdown()
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGINT);
  sigaddset(&stop_signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop_signals, nullptr);

  greeter::GreeterService service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, absl::StartsWith(address, "cxl:")
                                        ? grpc_cxl::ServerCredentials()
                                        : grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;  // the log says why
  std::cout << "Listening on " << address << "; Ctrl-C ends it." << std::endl;

  int signal;
  sigwait(&stop_signals, &signal);
  server->Shutdown();
}
