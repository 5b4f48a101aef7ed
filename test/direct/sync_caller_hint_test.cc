// SPDX-License-Identifier: Apache-2.0
// Proves that a thread is believed to wait for its calls of a method only while each of them shows
// it anew, and that neither other threads nor other methods have a say.

#include "grpc_cxl/direct/sync_caller_hint.h"

#include <thread>

#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

// Far enough apart for entries of their own.
alignas(64) constexpr char kMethods[2][8] = {"/a/b", "/a/c"};
constexpr const char* kMethod = kMethods[0];
constexpr const char* kOther = kMethods[1];

TEST(CallerStyleTest, NobodyWaitsWhoWasNotSeenWaiting) {
  EXPECT_FALSE(TakeSyncCallerHint(kMethod));
}

TEST(CallerStyleTest, IsBelievedOnce) {
  SetSyncCallerHint(kMethod, true);
  EXPECT_TRUE(TakeSyncCallerHint(kMethod));
  EXPECT_FALSE(TakeSyncCallerHint(kMethod));  // its end has not been seen
  SetSyncCallerHint(kMethod, true);
  EXPECT_TRUE(TakeSyncCallerHint(kMethod));
}

TEST(CallerStyleTest, WhoWentOnIsNotBelieved) {
  SetSyncCallerHint(kMethod, true);
  SetSyncCallerHint(kMethod, false);
  EXPECT_FALSE(TakeSyncCallerHint(kMethod));
}

TEST(CallerStyleTest, IsAboutOneMethodAndOneThread) {
  SetSyncCallerHint(kMethod, true);
  EXPECT_FALSE(TakeSyncCallerHint(kOther));
  std::thread([] {
    EXPECT_FALSE(TakeSyncCallerHint(kMethod));
    SetSyncCallerHint(kMethod, false);
  }).join();
  EXPECT_TRUE(TakeSyncCallerHint(kMethod));
}

}  // namespace
}  // namespace grpc_cxl::internal
