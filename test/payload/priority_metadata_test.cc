// SPDX-License-Identifier: Apache-2.0
// Proves that every valid Priority field of RFC 9218 is read as it says, and that any other text
// says nothing.

#include "grpc_cxl/payload/priority_metadata.h"

#include <map>
#include <string>

#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

TEST(PriorityMetadataTest, ReadsWhatTheFieldSays) {
  const struct {
    std::string text;
    PriorityField field;
  } kCases[] = {
      {"", {}},
      {"u=0", {.urgency = 0}},
      {"u=7", {.urgency = 7}},
      {"  u=1 ,\t i ", {.urgency = 1, .incremental = true}},
      {"i,u=5", {.urgency = 5, .incremental = true}},
      {"i=?1", {.incremental = true}},
      {"u=2, i=?0", {.urgency = 2}},
      {"u=1, u=6", {.urgency = 6}},
      {"u=2;p=\"x\\\";,\";q, i;r=:YQ==:", {.urgency = 2, .incremental = true}},
      {"a=(1 \"),\" tok;v=2.5), u=4, *b=-1.25, c=*t/k:n", {.urgency = 4}},
      // A value that the RFC does not know says nothing of its key.
      {"u=8", {}},
      {"u=-1", {}},
      {"u=1.0", {}},
      {"u=\"1\"", {}},
      {"u", {}},
      {"u=1, u=9, i=1", {}},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(PriorityText(ParsePriority(c.text)), PriorityText(c.field)) << c.text;
  }
}

TEST(PriorityMetadataTest, NoFieldSaysNothing) {
  for (const std::string text :
       {"u=0,",         "u=0 i",         "u=0;",       "u=0, =1",
        "U=0",          "u=0, \"",       "u=0, a=\"x", "u=0, a=\"\\n\"",
        "u=0, a=(1",    "u=0, a=(1(2))", "u=0, a=:x",  "u=0, a=?2",
        "u=0, a=-",     "u=0, a=1.",     "u=0, a=",    "u=0, a=1234567890123456",
        "u=0,, i",      "u =0",          ",u=0",       "u=0\n",
        "u=0, a=1.2345"}) {
    EXPECT_EQ(ParsePriority(text), PriorityField()) << text;
  }
  EXPECT_EQ(ParsePriority("u=0, a=" + std::string(300, '1')), PriorityField());
  EXPECT_EQ(ParsePriority("u=0" + std::string(300, ' ')), PriorityField());
  for (int c = 0; c < 256; ++c) {  // no byte does harm
    ParsePriority(std::string(1, static_cast<char>(c)));
    ParsePriority("u=" + std::string(3, static_cast<char>(c)));
  }
}

TEST(PriorityMetadataTest, LevelsAndMetadata) {
  for (const Priority level : {Priority::kInteractive, Priority::kDefault, Priority::kBulk}) {
    EXPECT_EQ(LevelOf(ParsePriority(PriorityText(FieldOf(level)))), level);
  }
  std::multimap<std::string, std::string> metadata = {{"other", "u=0"}};
  EXPECT_FALSE(FindPriority(metadata).has_value());
  EXPECT_EQ(PriorityIn(metadata), Priority::kDefault);
  metadata.emplace(kPriorityKey, "u=2, i");
  EXPECT_EQ(PriorityIn(metadata), Priority::kInteractive);
  metadata.emplace(kPriorityKey, "u=5");
  EXPECT_EQ(*FindPriority(metadata), (PriorityField{.urgency = 5, .incremental = true}));
  EXPECT_EQ(PriorityIn(metadata), Priority::kBulk);
}

}  // namespace
}  // namespace grpc_cxl::internal
