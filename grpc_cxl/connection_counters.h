// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_CONNECTION_COUNTERS_H_
#define GRPC_CXL_CONNECTION_COUNTERS_H_

#include <cstdint>

namespace grpc_cxl {

// The connections that channels with grpc_cxl::ChannelCredentials() have made since the process
// began, by path. ServerContext::peer() and ClientContext::peer() tell the path of one call that is
// not direct: "unix-abstract:cxl:///..." is memory. Of direct calls see direct_calls.h.
struct ConnectionCounters {
  uint64_t memory = 0;   // to `cxl:` names, and to network addresses of servers on this host
  uint64_t network = 0;  // to network addresses
  // Attempts that went on over the network although a server of this host has registered the
  // address: it did not answer, refused, or was not trusted. A line in the log says why.
  uint64_t declined = 0;
  // Of the connections over the network, those that were told to end because a server of this host
  // has appeared at their address, so that the next one is made through memory.
  uint64_t moved = 0;
};

// Thread-safe; a few loads.
ConnectionCounters GetConnectionCounters();

}  // namespace grpc_cxl

#endif  // GRPC_CXL_CONNECTION_COUNTERS_H_
