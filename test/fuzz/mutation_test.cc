// Proves that the fuzz tests are the same in every run and do reach all kinds of inputs,
// and that FuzzInput hands out every byte once.

#include "test/fuzz/mutation.h"

#include <algorithm>
#include <set>

#include "gtest/gtest.h"
#include "test/fuzz/fuzz_input.h"

namespace grpc_cxl::internal {
namespace {

std::vector<std::string> Inputs(const std::vector<std::string>& corpus, int seed, int count) {
  std::mt19937 random(seed);
  std::vector<std::string> inputs;
  for (int i = 0; i < count; ++i) inputs.push_back(NextInput(corpus, 64, random));
  return inputs;
}

TEST(MutationTest, TheSameSeedGivesTheSameInputs) {
  const std::vector<std::string> corpus = {"one", "another one"};
  EXPECT_EQ(Inputs(corpus, 1, 1000), Inputs(corpus, 1, 1000));
  EXPECT_NE(Inputs(corpus, 1, 1000), Inputs(corpus, 2, 1000));
}

TEST(MutationTest, InputsDifferAndKeepWithinTheLimit) {
  for (const std::vector<std::string>& corpus :
       {std::vector<std::string>{}, {""}, {"0123456789", std::string(64, 'x')}}) {
    const std::vector<std::string> inputs = Inputs(corpus, 1, 10'000);
    EXPECT_GT(std::set<std::string>(inputs.begin(), inputs.end()).size(), 2'000);
    for (const std::string& input : inputs) ASSERT_LE(input.size(), 64);
    EXPECT_TRUE(std::any_of(inputs.begin(), inputs.end(), [](auto& i) { return i.empty(); }));
    EXPECT_TRUE(std::any_of(inputs.begin(), inputs.end(), [](auto& i) { return i.size() == 64; }));
  }
}

TEST(FuzzInputTest, HandsOutEveryByteOnce) {
  const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7};
  FuzzInput input(bytes, sizeof(bytes));
  EXPECT_EQ(input.Take<uint8_t>(), 1);
  EXPECT_EQ(input.Take<uint16_t>(), 0x0302);
  EXPECT_EQ(input.TakeBytes(2), "\4\5");
  EXPECT_EQ(input.TakeUpTo(5), 0);
  EXPECT_FALSE(input.empty());
  EXPECT_EQ(input.Take<uint64_t>(), 7) << "what is missing is zero";
  EXPECT_TRUE(input.empty());
  EXPECT_EQ(input.Take<uint64_t>(), 0);
}

TEST(FuzzInputTest, WordsAreNearTheEdgeOrAnywhere) {
  const uint8_t bytes[] = {0xff, 0x20, 0, 8, 7, 6, 5, 4, 3, 2, 1};
  FuzzInput input(bytes, sizeof(bytes));
  EXPECT_EQ(input.TakeWord(1000), 999);
  EXPECT_EQ(input.TakeWord(1000), 1032);
  EXPECT_EQ(input.TakeWord(1000), 0x0102030405060708);
}

}  // namespace
}  // namespace grpc_cxl::internal
