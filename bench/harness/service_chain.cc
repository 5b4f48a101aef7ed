// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/service_chain.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/harness/transport.h"

namespace grpc_cxl::bench {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(30);

// The coordinator removes the sockets of all of them.
constexpr absl::Duration kGracePeriod = absl::Milliseconds(100);

}  // namespace

absl::StatusOr<std::unique_ptr<ServiceChain>> ServiceChain::Start(const std::string& transport,
                                                                  const std::string& wait,
                                                                  int services) {
  absl::StatusOr<TemporaryDirectory> directory = TemporaryDirectory::Create();
  if (!directory.ok()) return directory.status();
  auto chain = std::unique_ptr<ServiceChain>(new ServiceChain(*std::move(directory)));

  std::vector<Path> paths;  // from the last service to the first
  for (int i = 0; i < services; ++i) {
    const std::string directory = absl::StrCat(chain->directory_.path(), "/", i);
    if (std::error_code error; !std::filesystem::create_directory(directory, error)) {
      return absl::InternalError(absl::StrCat("Cannot make ", directory, ": ", error.message()));
    }
    Path path = MakePath("relay", transport, wait, directory);
    path.set_service_api("callback");
    if (!IsOneProcess(path)) {
      auto server = ChildProcess::Start(
          absl::StrCat("service ", services - i, " of a chain over ", transport),
          {"--role=relay_server"}, kGracePeriod);
      if (!server.ok()) return server.status();
      Request start;
      *start.mutable_start_relay()->mutable_path() = path;
      if (!paths.empty()) *start.mutable_start_relay()->mutable_next() = paths.back();
      const absl::StatusOr<Reply> started = (*server)->Ask(start, kStartTimeout);
      if (!started.ok()) return started.status();
      path.set_address(started->server_started().address());
      chain->servers_.push_back(*std::move(server));
    }
    paths.push_back(std::move(path));
  }

  auto client = ChildProcess::Start(absl::StrCat("client process of a chain over ", transport),
                                    {"--role=relay_client"}, kGracePeriod);
  if (!client.ok()) return client.status();
  chain->client_ = *std::move(client);
  chain->path_ = paths.back();
  Request start;
  std::reverse(paths.begin(), paths.end());
  for (Path& path : paths) {
    *start.mutable_start_relay_client()->add_services() = std::move(path);
  }
  const absl::StatusOr<Reply> started = chain->client_->Ask(start, kStartTimeout);
  if (!started.ok()) return started.status();
  return chain;
}

absl::StatusOr<RoundResult> ServiceChain::RunRound(const Round& round, absl::Duration timeout) {
  Request request;
  *request.mutable_round() = round;
  const absl::StatusOr<Reply> reply = client_->Ask(request, timeout);
  if (!reply.ok()) return reply.status();
  return reply->round_result();
}

}  // namespace grpc_cxl::bench
