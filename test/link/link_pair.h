#ifndef GRPC_CXL_TEST_LINK_LINK_PAIR_H_
#define GRPC_CXL_TEST_LINK_LINK_PAIR_H_

#include <cstddef>
#include <memory>
#include <string>

#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/link/link_layout.h"

namespace grpc_cxl::internal {

// Both ends of a link over one arena, each with a mapping of its own as in two processes,
// and a third mapping for those who look at the shared words, or break them. A forked
// child resets the end that is not its own.
struct LinkPair {
  explicit LinkPair(size_t ring_bytes, size_t payload_bytes = 0);

  // Makes both ends anew, from where the words stand.
  void Reconnect();

  LinkSideWords& server_words() const { return *WordsAt(kPageBytes); }
  LinkSideWords& client_words() const { return *WordsAt(2 * kPageBytes); }
  // All shared words, for the report of a failure.
  std::string State() const;

  const LinkSizes sizes;
  const Arena memory;
  std::unique_ptr<Link> server, client;

 private:
  LinkSideWords* WordsAt(size_t offset) const {
    return reinterpret_cast<LinkSideWords*>(memory.data() + offset);
  }
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_LINK_LINK_PAIR_H_
