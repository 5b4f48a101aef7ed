// SPDX-License-Identifier: Apache-2.0

// Says hello to the server of server.cc:
//
//   ./bazelw run //examples/greeter:client -- --address=127.0.0.1:50051 --name=Ada

#include <grpcpp/grpcpp.h>

#include <iostream>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "examples/greeter/greeter.grpc.pb.h"
#include "grpc_cxl/channel_credentials.h"

ABSL_FLAG(std::string, address, "cxl:///greeter", "where the server listens");
ABSL_FLAG(std::string, name, "world", "name to greet");

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  std::shared_ptr<grpc::Channel> channel =
      grpc::CreateChannel(absl::GetFlag(FLAGS_address), grpc_cxl::ChannelCredentials());
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
