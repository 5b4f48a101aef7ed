// SPDX-License-Identifier: Apache-2.0
// Proves that arenas get smaller as the budget fills up, and that the smallest is the last to be
// refused.

#include "grpc_cxl/event_engine/arena_choice.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "grpc_cxl/calls/call_layout.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

using ::testing::ElementsAre;

class ArenaChoiceTest : public ::testing::Test {
 protected:
  ArenaChoiceTest() {
    settings_.ring_bytes = 512 << 10;
    settings_.payload_bytes = 4 << 20;
    settings_.call_buffer_bytes = 4 << 10;
  }

  // What connections get one after the other until one is refused, without repetitions.
  std::vector<std::string> UntilRefused(bool on_use) {
    std::vector<std::string> kinds;
    for (;;) {
      auto chosen =
          ChooseArena(settings_, /*features=*/kDirectCalls | kMoreCallAreas, on_use, *budget_, "");
      auto* const choice = std::get_if<ArenaChoice>(&chosen);
      if (choice == nullptr) return kinds;
      EXPECT_GE(choice->arena_bytes, ArenaBytes(choice->sizes));
      EXPECT_EQ(choice->call_areas > 0, choice->sizes.call_bytes > 0);
      const std::string kind = choice->sizes.payload_bytes == 0    ? "smallest"
                               : choice->sizes.granted_pages == 64 ? "modest"
                                                                   : "full";
      ++count_[kind];
      if (kinds.empty() || kinds.back() != kind) kinds.push_back(kind);
      leases_.push_back(choice->lease);
    }
  }

  ServerSettings settings_;
  std::shared_ptr<ConnectionBudget> budget_ = std::make_shared<ConnectionBudget>(100'000, 64 << 20);
  std::vector<std::shared_ptr<ConnectionBudget::Lease>> leases_;
  std::map<std::string, int> count_;
};

TEST_F(ArenaChoiceTest, SmallerAsTheBudgetFillsUp) {
  EXPECT_THAT(UntilRefused(/*on_use=*/true), ElementsAre("full", "modest", "smallest"));
  EXPECT_EQ(count_["full"], 2) << "of 5.6 MiB, in a quarter";
  EXPECT_GE(count_["modest"], 10) << "of 1.9 MiB, up to a half";
  EXPECT_GE(count_["smallest"], 700) << "of 44 KiB";
  leases_.clear();
  EXPECT_EQ(UntilRefused(true).front(), "full");
}

TEST_F(ArenaChoiceTest, AnArenaThatIsReservedAtOnceCountsAsAWhole) {
  EXPECT_THAT(UntilRefused(/*on_use=*/false), ElementsAre("full", "smallest"));
  EXPECT_EQ(count_["full"], 6);
}

}  // namespace
}  // namespace grpc_cxl::internal
