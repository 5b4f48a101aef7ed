// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/one_service.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "bench/harness/answer_requests.h"
#include "bench/harness/control.pb.h"
#include "grpc_cxl/server_builder.h"
#include "grpc_cxl/server_credentials.h"

namespace grpc_cxl::bench {

int ServeOne(grpc::Service& service, const std::string& name, const ServerOptions& options) {
  std::unique_ptr<grpc::Server> server;
  return AnswerRequests([&](const Request&) -> absl::StatusOr<Reply> {
    const bool ours = !options.rendezvous_directory.empty();
    grpc_cxl::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(ours ? name : "127.0.0.1:0",
                             ours ? ServerCredentials(options) : grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&service);
    server = builder.BuildAndStart();
    if (server == nullptr) return absl::UnavailableError("cannot listen; its log says why");
    Reply reply;
    reply.mutable_server_started()->set_address(absl::StrCat("127.0.0.1:", port));
    return reply;
  });
}

absl::StatusOr<OneService> StartOneService(std::string what,
                                           const std::vector<std::string>& flags) {
  auto process = ChildProcess::Start(std::move(what), flags, absl::Milliseconds(100));
  if (!process.ok()) return process.status();
  Request start;
  start.mutable_start_server();
  const absl::StatusOr<Reply> started = (*process)->Ask(start, absl::Seconds(30));
  if (!started.ok()) return started.status();
  return OneService{*std::move(process), started->server_started().address()};
}

}  // namespace grpc_cxl::bench
