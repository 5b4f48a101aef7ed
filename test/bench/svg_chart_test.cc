// Proves that charts put larger values higher, and longer, and that no name breaks the page.

#include "bench/report/svg_chart.h"

#include <cstdio>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grpc_cxl::bench {
namespace {

using testing::HasSubstr;
using testing::Not;

// The n-th value of an attribute, from 0.
double Attribute(const std::string& svg, const std::string& name, int n) {
  size_t at = 0;
  for (int i = 0; i <= n; ++i) {
    at = svg.find(name + "=\"", at);
    if (at == std::string::npos) return -1;
    at += name.size() + 2;
  }
  return std::stod(svg.substr(at));
}

TEST(SvgChartTest, DrawsTenfoldStepsOfTheSameHeight) {
  const SvgChart chart{
      "x", "y", {{0, "a"}, {2, "b"}}, {{"line", "red", false, {{0, 10}, {1, 100}, {2, 1000}}}}};
  const std::string svg = chart.ToString();
  const double y0 = Attribute(svg, "cy", 0), y1 = Attribute(svg, "cy", 1),
               y2 = Attribute(svg, "cy", 2);
  EXPECT_GT(y0, y1);
  EXPECT_GT(y1, y2);
  EXPECT_NEAR(y0 - y1, y1 - y2, 0.2);
  EXPECT_NEAR(Attribute(svg, "cx", 1) * 2, Attribute(svg, "cx", 0) + Attribute(svg, "cx", 2), 0.2);
}

TEST(SvgChartTest, DrawsARangeWhereThereIsOne) {
  SvgChart chart{"x", "y", {{0, "a"}, {1, "b"}}, {{"line", "red", false, {{0, 10}}}}};
  EXPECT_THAT(chart.ToString(), Not(HasSubstr("stroke=\"red\"/>")));
  chart.lines[0].points[0] = {0, 10, 5, 20};
  EXPECT_THAT(chart.ToString(), HasSubstr("stroke=\"red\"/>"));
}

TEST(SvgChartTest, EscapesNames) {
  const SvgChart chart{"x", "y", {{0, "a"}, {1, "b"}}, {{"<b>&", "red", false, {{0, 1}}}}};
  EXPECT_THAT(chart.ToString(), HasSubstr("&lt;b&gt;&amp;"));
  EXPECT_THAT(chart.ToString(), Not(HasSubstr("<b>")));
}

TEST(SvgBarsTest, DrawsBarsAsLongAsTheirValues) {
  const SvgBars bars{"title", {{"a", "red", 10, 10, 10}, {"b", "red", 20, 20, 20}}};
  const std::string svg = bars.ToString();
  EXPECT_GT(Attribute(svg, " width", 0), 0);
  EXPECT_NEAR(Attribute(svg, " width", 0) * 2, Attribute(svg, " width", 1), 0.2);
}

}  // namespace
}  // namespace grpc_cxl::bench
