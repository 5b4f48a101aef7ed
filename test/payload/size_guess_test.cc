// Proves that a method with large messages is always looked at, one with small ones ever less
// often but never too seldom to notice a change, and that methods do not disturb each other.

#include "grpc_cxl/payload/size_guess.h"

#include "gtest/gtest.h"

namespace grpc_cxl {
namespace {

// How many of `calls` with such messages are looked at.
int Looks(SizeGuess& guess, const void* method, bool large, int calls) {
  int looks = 0;
  for (int i = 0; i < calls; ++i) {
    if (!guess.WorthALook(method)) continue;
    guess.Saw(method, large);
    ++looks;
  }
  return looks;
}

TEST(SizeGuessTest, LargeAlwaysSmallSeldom) {
  SizeGuess guess;
  const char one[] = "/one", two[] = "/two";
  EXPECT_EQ(Looks(guess, one, true, 100), 100);
  EXPECT_EQ(Looks(guess, two, false, 1600), 103);
  EXPECT_EQ(Looks(guess, one, true, 100), 100) << "the other method's business";
}

TEST(SizeGuessTest, ChangesAreNoticed) {
  SizeGuess guess;
  const char method[] = "/method";
  Looks(guess, method, false, 1000);
  EXPECT_GE(Looks(guess, method, true, 100), 100 - static_cast<int>(SizeGuess::kMostSkipped));
  EXPECT_EQ(Looks(guess, method, true, 100), 100);
  EXPECT_LE(Looks(guess, method, false, 100), 10);
}

}  // namespace
}  // namespace grpc_cxl
