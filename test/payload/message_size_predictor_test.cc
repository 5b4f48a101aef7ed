// SPDX-License-Identifier: Apache-2.0
// Proves that a method with large messages is always looked at, one with small ones ever less
// often but never too seldom to notice a change, and that methods do not disturb each other.

#include "grpc_cxl/payload/message_size_predictor.h"

#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

// How many of `calls` with such messages are looked at.
int Looks(MessageSizePredictor& predictor, const void* method, bool large, int calls) {
  int looks = 0;
  for (int i = 0; i < calls; ++i) {
    if (!predictor.ShouldLook(method)) continue;
    predictor.Record(method, large);
    ++looks;
  }
  return looks;
}

TEST(MessageSizePredictorTest, LargeAlwaysSmallSeldom) {
  MessageSizePredictor predictor;
  const char one[] = "/one", two[] = "/two";
  EXPECT_EQ(Looks(predictor, one, true, 100), 100);
  EXPECT_EQ(Looks(predictor, two, false, 1600), 103);
  EXPECT_EQ(Looks(predictor, one, true, 100), 100) << "the other method's business";
}

TEST(MessageSizePredictorTest, ChangesAreNoticed) {
  MessageSizePredictor predictor;
  const char method[] = "/method";
  Looks(predictor, method, false, 1000);
  EXPECT_GE(Looks(predictor, method, true, 100),
            100 - static_cast<int>(MessageSizePredictor::kMostSkipped));
  EXPECT_EQ(Looks(predictor, method, true, 100), 100);
  EXPECT_LE(Looks(predictor, method, false, 100), 10);
}

}  // namespace
}  // namespace grpc_cxl::internal
