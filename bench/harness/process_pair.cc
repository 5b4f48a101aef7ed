// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/process_pair.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/harness/transport.h"

namespace grpc_cxl::bench {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(30);

// A server removes its sockets. A client may be in the middle of a long round, and leaves nothing
// behind.
constexpr absl::Duration kServerGracePeriod = absl::Seconds(5);
constexpr absl::Duration kClientGracePeriod = absl::Milliseconds(100);

}  // namespace

absl::StatusOr<std::unique_ptr<ProcessPair>> ProcessPair::Start(const ProcessPairOptions& options) {
  absl::StatusOr<TemporaryDirectory> directory = TemporaryDirectory::Create();
  if (!directory.ok()) return directory.status();
  Path path = MakePath("bench", options.transport, options.wait, directory->path());
  path.set_service_api(options.service_api);
  path.set_cxl_preset(options.cxl_preset);
  path.set_cxl_coherence(options.cxl_coherence);
  path.set_pinned(options.pinned);
  path.set_handler_cpu_us(options.handler_cpu_us);
  *path.mutable_arena() = options.arena;
  auto pair = std::unique_ptr<ProcessPair>(new ProcessPair(*std::move(directory), std::move(path)));
  if (auto started = pair->StartServer(); !started.ok()) return started.status();
  if (absl::Status started = pair->StartClient(options.client_role); !started.ok()) return started;
  return pair;
}

absl::StatusOr<ServerStarted> ProcessPair::StartServer() {
  server_.reset();
  auto server = ChildProcess::Start(absl::StrCat("server process of ", path_.transport()),
                                    {"--role=server"}, kServerGracePeriod);
  if (!server.ok()) return server.status();
  server_ = *std::move(server);
  Request request;
  *request.mutable_start_server()->mutable_path() = path_;
  const absl::StatusOr<Reply> reply = server_->Ask(request, kStartTimeout);
  if (!reply.ok()) return reply.status();
  path_.set_address(reply->server_started().address());
  return reply->server_started();
}

absl::Status ProcessPair::StartClient(const std::string& role) {
  auto client = ChildProcess::Start(absl::StrCat("client process of ", path_.transport()),
                                    {absl::StrCat("--role=", role)}, kClientGracePeriod);
  if (!client.ok()) return client.status();
  client_ = *std::move(client);
  Request request;
  *request.mutable_start_client()->mutable_path() = path_;
  request.mutable_start_client()->set_server_pid(server_->pid());
  return Ask(request, kStartTimeout).status();
}

absl::StatusOr<Reply> ProcessPair::Ask(const Request& request, absl::Duration timeout) {
  return client_->Ask(request, timeout, server_.get());
}

}  // namespace grpc_cxl::bench
