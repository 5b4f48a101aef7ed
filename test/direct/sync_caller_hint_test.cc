// SPDX-License-Identifier: Apache-2.0
// Proves that the hint holds for one call, for one method and for one thread, and that an
// asynchronous call clears it.

#include "grpc_cxl/direct/sync_caller_hint.h"

#include <thread>

#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

// Far enough apart for entries of their own.
alignas(64) constexpr char kMethods[2][8] = {"/a/b", "/a/c"};
constexpr const char* kMethod = kMethods[0];

TEST(SyncCallerHintTest, HoldsForOneCall) {
  EXPECT_FALSE(TakeSyncCallerHint(kMethod));
  for (int i = 0; i < 2; ++i) {
    SetSyncCallerHint(kMethod, true);
    EXPECT_TRUE(TakeSyncCallerHint(kMethod));
    EXPECT_FALSE(TakeSyncCallerHint(kMethod)) << "the end of that call has not been seen";
  }
  SetSyncCallerHint(kMethod, true);
  SetSyncCallerHint(kMethod, false);
  EXPECT_FALSE(TakeSyncCallerHint(kMethod));
}

TEST(SyncCallerHintTest, IsAboutOneMethodAndOneThread) {
  SetSyncCallerHint(kMethod, true);
  EXPECT_FALSE(TakeSyncCallerHint(kMethods[1]));
  std::thread([] {
    EXPECT_FALSE(TakeSyncCallerHint(kMethod));
    SetSyncCallerHint(kMethod, false);
  }).join();
  EXPECT_TRUE(TakeSyncCallerHint(kMethod));
}

}  // namespace
}  // namespace grpc_cxl::internal
