#ifndef GRPC_CXL_TEST_RENDEZVOUS_RAW_PEER_H_
#define GRPC_CXL_TEST_RENDEZVOUS_RAW_PEER_H_

#include <cstddef>

#include "absl/types/span.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::internal {

// Two connected sockets as a listener and a dialler have them.
struct SocketPair {
  UniqueFd ours;
  UniqueFd peers;
};
SocketPair MakeSocketPair();

// What a peer that keeps to no protocol can do: sends `size` bytes as one message, with
// copies of `fds`.
void SendRaw(int socket, const void* data, size_t size, absl::Span<const int> fds = {});

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_RENDEZVOUS_RAW_PEER_H_
