#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_SVG_CHART_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_SVG_CHART_H_

#include <string>
#include <utility>
#include <vector>

namespace hotel_reservation {

// A line chart as an SVG element. The y axis is logarithmic.
struct SvgChart {
  struct Line {
    std::string name;
    std::string color;  // as CSS writes it
    bool dashed = false;
    std::vector<std::pair<double, double>> points;  // y > 0
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

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_SVG_CHART_H_
