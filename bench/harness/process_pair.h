#ifndef GRPC_CXL_BENCH_HARNESS_PROCESS_PAIR_H_
#define GRPC_CXL_BENCH_HARNESS_PROCESS_PAIR_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/harness/child_process.h"
#include "bench/harness/control.pb.h"
#include "bench/harness/temporary_directory.h"

namespace grpc_cxl::bench {

struct ProcessPairOptions {
  std::string transport;  // transport.h tells the names
  std::string wait;
  std::string cxl_preset{};              // as in Path
  std::string cxl_coherence{};           // as in Path
  std::string service_api = "callback";  // what the service is written in, or "sync"
  std::string service = "bench";         // what the cxl address is called
  std::string client_role = "client";    // --role of the client process; the server's is "server"
  bool pinned = false;                   // each side keeps to its half of the cores
  ArenaSizes arena = {};                 // of cxl
};

// A server process and a client process that call each other over one path and nothing
// else: the unit of comparison. Each pair has its own two processes, so that no transport
// meets another's threads, buffers or settings. Seen from the coordinator.
//
// Used by one thread.
class ProcessPair {
 public:
  // Starts both processes; nothing is connected yet.
  static absl::StatusOr<std::unique_ptr<ProcessPair>> Start(const ProcessPairOptions& options);

  const Path& path() const { return path_; }
  pid_t server_pid() const { return server_->pid(); }
  pid_t client_pid() const { return client_->pid(); }

  // One request to the client process and its reply, at most `timeout` later. The error
  // names the server process when that is what failed.
  absl::StatusOr<Reply> Ask(const Request& request, absl::Duration timeout);

  // The same in two steps, also for the times when the server process is meant to be dead.
  absl::Status Send(const Request& request) { return client_->Send(request); }
  absl::StatusOr<Reply> Receive(absl::Duration timeout) { return client_->Receive(timeout); }

  // Starts a server process, on the address of the first one from the second time on.
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
