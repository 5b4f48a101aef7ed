// SPDX-License-Identifier: Apache-2.0

// Says hello to the server of server.cc:
//
//   ./bazelw run //examples/greeter:client -- --address=127.0.0.1:50051 --name=Ada
//
// With --serve_back it has a greeter itself, which a server with --call_back calls.

#include <grpcpp/grpcpp.h>

#include <iostream>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "examples/greeter/greeter.grpc.pb.h"
#include "examples/greeter/greeter_service.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/serve_back.h"
#include "grpc_cxl/server_builder.h"

ABSL_FLAG(std::string, address, "cxl:///greeter", "where the server listens");
ABSL_FLAG(std::string, name, "world", "name to greet");
ABSL_FLAG(bool, serve_back, false, "let the server call back");

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  greeter::GreeterService own_service;
  std::unique_ptr<grpc::Server> own_server;  // without an address
  grpc::ChannelArguments arguments;
  if (absl::GetFlag(FLAGS_serve_back)) {
    grpc_cxl::ServerBuilder builder;
    builder.RegisterService(&own_service);
    own_server = builder.BuildAndStart();
    if (absl::Status served = grpc_cxl::ServeBack(*own_server, &arguments); !served.ok()) {
      std::cerr << served.message() << std::endl;
      return 1;
    }
  }
  std::shared_ptr<grpc::Channel> channel = grpc::CreateCustomChannel(
      absl::GetFlag(FLAGS_address), grpc_cxl::ChannelCredentials(), arguments);
  std::unique_ptr<greeter::Greeter::Stub> stub = greeter::Greeter::NewStub(channel);

  grpc::ClientContext context;
  greeter::HelloRequest request;
  request.set_name(absl::GetFlag(FLAGS_name));
  greeter::HelloReply reply;
  const grpc::Status status = stub->SayHello(&context, request, &reply);
  if (!status.ok()) {
    std::cerr << "The call failed with status " << status.error_code() << ": "
              << status.error_message() << std::endl;
    return 1;
  }
  std::cout << reply.message() << std::endl;
}
