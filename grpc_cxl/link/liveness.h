// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_LINK_LIVENESS_H_
#define GRPC_CXL_LINK_LIVENESS_H_

namespace grpc_cxl::internal {

// Says whether a link's peer is still there, where no socket's end-of-file does: between hosts,
// a lease that it renews. Thread-safe.
class Liveness {
 public:
  virtual ~Liveness() = default;  // this end is gone

  // True from when the peer has closed the connection or is dead. Asked by a polling thread
  // before every nap, at least once a millisecond: a few loads, nothing that blocks.
  virtual bool PeerGone() = 0;

  // This end closes the connection: the peer's PeerGone() becomes true. Called at least once
  // before the end, maybe again.
  virtual void Close() = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_LINK_LIVENESS_H_
