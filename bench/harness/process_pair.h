// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_HARNESS_PROCESS_PAIR_H_
#define GRPC_CXL_BENCH_HARNESS_PROCESS_PAIR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/harness/child_process.h"
#include "bench/harness/control.pb.h"
#include "bench/harness/temporary_directory.h"

namespace grpc_cxl::bench {

struct ProcessPairOptions {
  // As in Path.
  std::string transport;
  std::string wait;
  std::string cxl_preset{};
  std::string cxl_coherence{};
  std::string service_api = "callback";
  bool pinned = false;
  uint32_t handler_cpu_us = 0;
  ArenaSizes arena = {};

  std::string client_role = "client";  // --role of the client process; the server's is "server"
};

// A server process and a client process that calls it over one path: the unit of comparison. No
// transport shares threads, buffers or settings with another. This object is in the coordinator.
//
// Used by one thread.
class ProcessPair {
 public:
  // Starts both processes; connects nothing yet.
  static absl::StatusOr<std::unique_ptr<ProcessPair>> Start(const ProcessPairOptions& options);

  const Path& path() const { return path_; }
  pid_t server_pid() const { return server_->pid(); }
  pid_t client_pid() const { return client_->pid(); }

  // Sends a request to the client process and returns its reply. The error names the server
  // process if that has died.
  absl::StatusOr<Reply> Ask(const Request& request, absl::Duration timeout);

  // The same in two steps. The server process may be dead.
  absl::Status Send(const Request& request) { return client_->Send(request); }
  absl::StatusOr<Reply> Receive(absl::Duration timeout) { return client_->Receive(timeout); }

  // Starts a server process; from the second time on, on the address of the first.
  absl::StatusOr<ServerStarted> StartServer();

 private:
  ProcessPair(TemporaryDirectory directory, Path path)
      : directory_(std::move(directory)), path_(std::move(path)) {}

  absl::Status StartClient(const std::string& role);

  TemporaryDirectory directory_;
  Path path_;
  std::unique_ptr<ChildProcess> server_;
  std::unique_ptr<ChildProcess> client_;  // ends first
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_HARNESS_PROCESS_PAIR_H_
