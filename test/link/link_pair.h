// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_LINK_LINK_PAIR_H_
#define GRPC_CXL_TEST_LINK_LINK_PAIR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/link/link_layout.h"

namespace grpc_cxl::internal {

// Both ends of a link over one arena, each with a mapping of its own as in two processes,
// and a third mapping in which a test sees the shared words, or breaks them. A forked child
// resets the end that is not its own.
class LinkPair {
 public:
  explicit LinkPair(size_t ring_bytes, size_t payload_bytes = 0)
      : LinkPair(ring_bytes, payload_bytes, /*far=*/false) {}

  // Makes both ends anew, from where the words stand. MoveTo() lets both streams have come as
  // far as `position` before.
  void Reconnect();
  void MoveTo(uint64_t position);

  LinkSideWords& server_words() const { return *WordsAt(kPageBytes); }
  LinkSideWords& client_words() const { return *WordsAt(2 * kPageBytes); }
  // Where those of their words are that the peer looks at all the time.
  LinkLookWords<SharedU64> server_look() const { return LookWords(&server_words(), coherent_); }
  LinkLookWords<SharedU64> client_look() const { return LookWords(&client_words(), coherent_); }
  // All shared words, for the report of a failure.
  std::string State() const;

  const LinkSizes sizes;
  const Arena memory;
  std::unique_ptr<Link> server, client;

 protected:
  LinkPair(size_t ring_bytes, size_t payload_bytes, bool far);

  SharedU32* gone() const { return reinterpret_cast<SharedU32*>(gone_.data()); }

 private:
  LinkSideWords* WordsAt(size_t offset) const {
    return reinterpret_cast<LinkSideWords*>(memory.data() + offset);
  }
  std::unique_ptr<Link> Make(Link::Side side, UniqueFd socket);

  const bool far_;
  const bool coherent_;
  const Arena gone_;
};

// The same as on two hosts: no socket, no coherence, each on a private copy of the arena under
// the checker.
class FarLinkPair : public LinkPair {
 public:
  explicit FarLinkPair(size_t ring_bytes, size_t payload_bytes = 0)
      : LinkPair(ring_bytes, payload_bytes, /*far=*/true) {}

  // [0]: the server has closed, [1]: the client. Stands for leases.
  SharedU32* const gone = LinkPair::gone();
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_LINK_LINK_PAIR_H_
