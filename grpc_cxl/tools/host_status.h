// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TOOLS_HOST_STATUS_H_
#define GRPC_CXL_TOOLS_HOST_STATUS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "grpc_cxl/status/status_page.h"

namespace grpc_cxl::internal {

// A living process and its page.
struct ProcessStatus {
  std::string file;
  uid_t uid = 0;  // of the file's owner
  StatusPage page;
};

// What the status pages of a rendezvous directory say.
struct HostStatus {
  std::string directory;
  std::vector<ProcessStatus> processes;  // by the time they began
  std::vector<std::string> problems;     // files that could not be read: a sentence each
};

// Removes the pages of processes that are dead, as far as this user may.
HostStatus ReadHostStatus(const RendezvousDirectory& directory);

// A connection with what either end says about it; an end without a page that can be read is null.
struct JoinedConnection {
  const ProcessStatus* client_process = nullptr;
  const StatusConnection* client = nullptr;
  const ProcessStatus* server_process = nullptr;
  const StatusConnection* server = nullptr;

  // The end that is there; the client's knows more.
  const StatusConnection& any() const { return client != nullptr ? *client : *server; }
  // Bytes from client to server and back: of the stream, of blocks and of direct calls.
  uint64_t bytes_to_server() const;
  uint64_t bytes_to_client() const;
};

// In the order of their names. The result points into `host`.
std::vector<JoinedConnection> JoinConnections(const HostStatus& host);

// The least time in nanoseconds that `part` (0 to 1) of the direct calls of this end did not
// exceed, to a quarter; 0: there were none, or no end. A server's end knows only its own part of
// that time.
uint64_t LatencyQuantile(const StatusConnection* end, double part);

// How people know it: "shop/payments", "127.0.0.1:50051", "*:50051", "unix socket 8:1234". A
// replica keeps its number: "shop/payments=3", "*:50051=3".
std::string DisplayName(const char* name);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TOOLS_HOST_STATUS_H_
