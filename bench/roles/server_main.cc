// SPDX-License-Identifier: Apache-2.0
#include "bench/roles/server_main.h"

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "bench/harness/child_process.h"
#include "bench/harness/message_socket.h"
#include "bench/harness/pinning.h"
#include "bench/harness/transport.h"
#include "bench/roles/echo_service.h"

namespace grpc_cxl::bench {
namespace {

Reply StartedOn(const std::string& address) {
  Reply reply;
  reply.mutable_server_started()->set_address(address);
  reply.mutable_server_started()->set_listening_ns(
      std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
  return reply;
}

}  // namespace

int ServerMain() {
  Request request;
  const absl::StatusOr<bool> received = ReceiveMessage(kControlFd, request);
  CHECK_OK(received.status());
  if (!*received) return 0;
  const Path path = request.start_server().path();
  if (path.pinned()) CHECK_OK(PinToHalf(Side::kServer));

  const std::unique_ptr<grpc::Service> service = MakeEchoService(path);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(path.address(), ServerCredentials(path), &port);
  builder.SetMaxReceiveMessageSize(-1);
  builder.SetMaxSendMessageSize(-1);
  builder.RegisterService(service.get());
  Configure(path, builder);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    Reply reply;
    reply.set_error(absl::StrCat("cannot listen on ", path.address(), "; its log says why"));
    SendMessage(kControlFd, reply).IgnoreError();
    return 1;
  }
  CHECK_OK(Started(path, *server));
  const Reply started = StartedOn(IsTcp(path) ? absl::StrCat("127.0.0.1:", port) : path.address());
  if (SendMessage(kControlFd, started).ok()) {
    ReceiveMessage(kControlFd, request).IgnoreError();  // end of file: the coordinator hung up
  }

  alarm(5);  // ends a shutdown that hangs after the coordinator has died
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  std::error_code ignored;
  std::filesystem::remove_all(path.directory(), ignored);
  return 0;
}

}  // namespace grpc_cxl::bench
