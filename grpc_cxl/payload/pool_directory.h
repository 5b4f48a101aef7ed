// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_PAYLOAD_POOL_DIRECTORY_H_
#define GRPC_CXL_PAYLOAD_POOL_DIRECTORY_H_

#include <memory>
#include <string>

#include "grpc_cxl/blocks/block_pool.h"

// Finds the blocks of the connection that will carry a message. A guess: of several connections
// with one key, the newest is found. A wrong guess costs a copy. Thread-safe.
namespace grpc_cxl::internal {

// The key of a client's connections: the service's name (or the key of a network target), and the
// number of the channel's options (see SettingsRegistry).
std::string ClientPoolKey(const std::string& name, int options);

// The key of a server's connections to one process: what ServerContext::peer() says.
std::string ServerPoolKey(const std::string& peer);

// With an empty key it is not entered. The directory does not keep the pool alive.
void EnterPool(const std::string& key, const std::shared_ptr<BlockPool>& pool);

// Null when there is none.
std::shared_ptr<BlockPool> FindPool(const std::string& key);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_PAYLOAD_POOL_DIRECTORY_H_
