// SPDX-License-Identifier: Apache-2.0
// Proves that the newest pool of a key is found, that keys do not meet, and that the directory
// keeps no pool alive.

#include "grpc_cxl/payload/pool_directory.h"

#include "gtest/gtest.h"
#include "test/blocks/block_pair.h"

namespace grpc_cxl::internal {
namespace {

TEST(PoolDirectoryTest, TheNewestWhileItLives) {
  BlockPair older(1), newer(1);
  const std::string key = ClientPoolKey("shop/payments", 3);
  EXPECT_EQ(FindPool(key), nullptr);
  EnterPool(key, nullptr);
  EXPECT_EQ(FindPool(key), nullptr);
  EnterPool(key, older.pool);
  EXPECT_EQ(FindPool(key), older.pool);
  EnterPool(key, newer.pool);
  EXPECT_EQ(FindPool(key), newer.pool);
  for (const std::string& other :
       {ClientPoolKey("shop/payments", 33), ClientPoolKey("shop/payment", 3),
        ServerPoolKey("shop/payments 3")}) {
    EXPECT_EQ(FindPool(other), nullptr);
  }
  const std::weak_ptr<BlockPool> watched = newer.pool;
  newer.pool.reset();
  EXPECT_TRUE(watched.expired());
  EXPECT_EQ(FindPool(key), nullptr);
}

}  // namespace
}  // namespace grpc_cxl::internal
