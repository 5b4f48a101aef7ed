// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_REPORT_SVG_CHART_H_
#define GRPC_CXL_BENCH_REPORT_SVG_CHART_H_

#include <string>
#include <vector>

namespace grpc_cxl::bench {

// A line chart as an SVG element, and its legend. The y axis is logarithmic. The page styles the
// text and the classes `grid` and `legend`. Names are plain text.
struct SvgChart {
  struct Point {
    double x, y;               // y > 0
    double low = 0, high = 0;  // range drawn through the point; 0: none
  };
  struct Line {
    std::string name;
    std::string color;  // in CSS
    bool dashed = false;
    std::vector<Point> points;
  };
  struct Tick {
    double x;
    std::string label;
  };

  std::string x_title, y_title;
  std::vector<Tick> x_ticks;  // the first and the last are the ends of the axis
  std::vector<Line> lines;

  std::string ToString() const;
};

// Ticks at round numbers from 0 to `highest` or a little more.
std::vector<SvgChart::Tick> RoundTicks(double highest);

// Horizontal bars from 0, as an SVG element.
struct SvgBars {
  struct Bar {
    std::string name;
    std::string color;
    double value;
    double low, high;  // range drawn over the end of the bar
  };

  std::string title;  // quantity and unit
  std::vector<Bar> bars;

  std::string ToString() const;
};

// `text` with &, < and > escaped.
std::string EscapeHtml(const std::string& text);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_REPORT_SVG_CHART_H_
