// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_CLUSTER_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_CLUSTER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "examples/hotel_reservation/launcher/process.h"
#include "examples/hotel_reservation/launcher/reserved_ports.h"
#include "examples/hotel_reservation/services/address_book.h"

namespace hotel_reservation {

struct ClusterOptions {
  std::string transport;
  bool together = false;  // in one process, instead of eight
  std::string programs;   // folder of the programs
  std::string directory;  // existing folder for sockets, logs and the database
  std::string database;   // the data set's file; empty: a file in `directory`
  std::string http;       // HOST:PORT of the page; empty: no page
  uint32_t capacity = 0;  // of each service; 0: none
  // Listen where the programs do and look without flags, instead of at addresses of its own.
  bool default_addresses = false;
  bool beside = false;  // another cluster of this transport runs in $GRPC_CXL_DIR
};

// The processes of the eight services, or their only one, on one transport. On cxl they use
// $GRPC_CXL_DIR, which the caller has set. Used by one thread.
class Cluster {
 public:
  // Waits until all are healthy. An error names a service that is not, with its output. CANCELLED
  // after Ctrl-C. ALREADY_EXISTS when others serve at the default addresses.
  static absl::StatusOr<std::unique_ptr<Cluster>> Start(const ClusterOptions& options);
  ~Cluster();  // ends all of them

  const AddressBook& addresses() const { return addresses_; }
  const std::string& directory() const { return options_.directory; }
  Process& service(absl::string_view name) { return *services_.at(ProgramOf(name)); }
  // "cxl"; "cxl/1" in one process.
  std::string label() const;

  // "--transport=..." and "--base=...".
  std::vector<std::string> AddressFlags() const;

  // Starts another program of the folder; its output goes to NAME.log in directory().
  absl::StatusOr<std::unique_ptr<Process>> StartProgram(const std::string& name,
                                                        std::vector<std::string> flags);

  // Kills a service's process (SIGKILL) and starts it again, without waiting until it is healthy.
  absl::Status KillAndRestart(absl::string_view name);

  // Waits up to `timeout` for the end of `other` (may be null) or of a service. True when `other`
  // has ended; an error with its output when a service has; CANCELLED after Ctrl-C.
  absl::StatusOr<bool> Watch(Process* other, absl::Duration timeout);

  // Waits until all services are healthy.
  absl::Status AwaitHealthy();

  // That the services have used.
  absl::Duration CpuTime() const;

  // Waits until the services use nearly no CPU time, for up to 2 s. Has the errors of Watch().
  absl::Status AwaitIdle();

 private:
  Cluster(ClusterOptions options, AddressBook addresses, std::optional<ReservedPorts> ports)
      : options_(std::move(options)), ports_(std::move(ports)), addresses_(std::move(addresses)) {}

  absl::Status CheckNobodyServes() const;
  std::string ProgramOf(absl::string_view service) const;
  absl::Status StartProcess(const std::string& program);

  const ClusterOptions options_;
  const std::optional<ReservedPorts> ports_;
  const AddressBook addresses_;
  std::map<std::string, std::unique_ptr<Process>> services_;  // by program
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_CLUSTER_H_
