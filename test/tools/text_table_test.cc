// SPDX-License-Identifier: Apache-2.0
// Proves that a table keeps to its width, and that figures are short and right.
#include "grpc_cxl/tools/text_table.h"

#include "grpc_cxl/tools/figures.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

TEST(TextTableTest, KeepsToItsWidth) {
  TextTable table({{.title = "A"},
                   {.title = "BB", .right = true, .rank = 2},
                   {.title = "C", .most = 40, .rank = 1, .shrinks = true}});
  table.AddRow({"one", "1", "a text that is rather long"});
  EXPECT_EQ(table.Text(0), "A   BB C\none  1 a text that is rather long\n");
  EXPECT_EQ(table.Text(26), "A   BB C\none  1 a text th..her long\n");
  EXPECT_EQ(table.Text(22), "A   C\none a text ..er long\n");
  EXPECT_EQ(table.Text(5), "A\none\n");
}

TEST(FiguresTest, AreShort) {
  EXPECT_EQ(CountText(999), "999");
  EXPECT_EQ(CountText(12'345), "12.3k");
  EXPECT_EQ(CountText(999'999), "1.00M");
  EXPECT_EQ(CountText(UINT64_MAX), "18.4E");
  EXPECT_EQ(BytesText(1 << 20), "1.00M");
  EXPECT_EQ(TimeText(0), "-");
  EXPECT_EQ(TimeText(9'730), "9.73us");
  EXPECT_EQ(TimeText(999'900'000), "1.0s");
  EXPECT_EQ(TimeText(UINT64_MAX), "213503d");
}

}  // namespace
}  // namespace grpc_cxl::internal
