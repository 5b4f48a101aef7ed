// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_PAYLOAD_CALL_BLOCKS_H_
#define GRPC_CXL_PAYLOAD_CALL_BLOCKS_H_

#include <memory>

#include "grpc_cxl/blocks/block_borrower.h"
#include "grpc_cxl/blocks/block_pool.h"

namespace grpc_cxl::internal {

// The payload blocks of a connection, as its direct calls use them: a message that is large,
// or does not fit into its call buffer, lies in a block, and the buffer has the descriptor.
struct CallBlocks {
  std::shared_ptr<BlockPool> pool;          // null when none were agreed; then so is:
  std::shared_ptr<BlockBorrower> borrower;  // of the peer's
  bool trust_peer = false;                  // whether its messages may be parsed where they lie
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_PAYLOAD_CALL_BLOCKS_H_
