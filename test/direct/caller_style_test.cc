// Proves that a thread is believed to wait for its calls of a method only while each of them shows
// it anew, and that neither other threads nor other methods have a say.

#include "grpc_cxl/direct/caller_style.h"

#include <thread>

#include "gtest/gtest.h"

namespace grpc_cxl {
namespace {

// Far enough apart for entries of their own.
alignas(64) constexpr char kMethods[2][8] = {"/a/b", "/a/c"};
constexpr const char* kMethod = kMethods[0];
constexpr const char* kOther = kMethods[1];

TEST(CallerStyleTest, NobodyWaitsWhoWasNotSeenWaiting) { EXPECT_FALSE(TakeCallerWaits(kMethod)); }

TEST(CallerStyleTest, IsBelievedOnce) {
  NoteCallerWaits(kMethod, true);
  EXPECT_TRUE(TakeCallerWaits(kMethod));
  EXPECT_FALSE(TakeCallerWaits(kMethod));  // its end has not been seen
  NoteCallerWaits(kMethod, true);
  EXPECT_TRUE(TakeCallerWaits(kMethod));
}

TEST(CallerStyleTest, WhoWentOnIsNotBelieved) {
  NoteCallerWaits(kMethod, true);
  NoteCallerWaits(kMethod, false);
  EXPECT_FALSE(TakeCallerWaits(kMethod));
}

TEST(CallerStyleTest, IsAboutOneMethodAndOneThread) {
  NoteCallerWaits(kMethod, true);
  EXPECT_FALSE(TakeCallerWaits(kOther));
  std::thread([] {
    EXPECT_FALSE(TakeCallerWaits(kMethod));
    NoteCallerWaits(kMethod, false);
  }).join();
  EXPECT_TRUE(TakeCallerWaits(kMethod));
}

}  // namespace
}  // namespace grpc_cxl
