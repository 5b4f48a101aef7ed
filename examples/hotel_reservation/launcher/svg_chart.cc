#include "examples/hotel_reservation/launcher/svg_chart.h"

#include <algorithm>
#include <cmath>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace hotel_reservation {
namespace {

constexpr double kWidth = 760, kHeight = 380;
constexpr double kLeft = 64, kRight = 28, kTop = 16, kBottom = 48;

// Where a value stands on an axis.
struct Axis {
  double low, high, from, to;
  double At(double value) const { return from + (value - low) / (high - low) * (to - from); }
};

}  // namespace

std::vector<SvgChart::Tick> RoundTicks(double highest) {
  double step = std::pow(10, std::floor(std::log10(std::max(highest, 1.0))));
  if (highest / step < 2) step /= 5;
  if (highest / step < 5) step /= 2;
  std::vector<SvgChart::Tick> ticks;
  for (double x = 0;; x += step) {
    ticks.push_back({x, absl::StrFormat("%.0f", x)});
    if (x >= highest) return ticks;
  }
}

std::string SvgChart::ToString() const {
  CHECK_GE(x_ticks.size(), 2u);
  double low = 1e9, high = 0;
  for (const Line& line : lines) {
    for (const auto& [x, y] : line.points) {
      low = std::min(low, y);
      high = std::max(high, y);
    }
  }
  if (high == 0) low = high = 1;
  const double bottom = std::floor(std::log10(low)), top = std::floor(std::log10(high)) + 1;
  const Axis x_axis = {x_ticks.front().x, x_ticks.back().x, kLeft, kWidth - kRight};
  const Axis y_axis = {bottom, top, kHeight - kBottom, kTop};

  std::string svg =
      absl::StrFormat("<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s against %s\">\n",
                      kWidth, kHeight, y_title, x_title);
  for (const Tick& tick : x_ticks) {
    absl::StrAppendFormat(&svg,
                          "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
                          "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
                          x_axis.At(tick.x), kTop, x_axis.At(tick.x), kHeight - kBottom,
                          x_axis.At(tick.x), kHeight - kBottom + 16, tick.label);
  }
  for (double power = bottom; power <= top; ++power) {
    absl::StrAppendFormat(&svg,
                          "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
                          "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
                          kLeft, y_axis.At(power), kWidth - kRight, y_axis.At(power), kLeft - 6,
                          y_axis.At(power) + 4, std::pow(10, power));
  }
  for (const Line& line : lines) {
    std::string points;
    for (const auto& [x, y] : line.points) {
      absl::StrAppendFormat(&points, "%.1f,%.1f ", x_axis.At(x), y_axis.At(std::log10(y)));
    }
    absl::StrAppendFormat(&svg,
                          "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" "
                          "stroke-width=\"2\"%s><title>%s</title></polyline>\n",
                          points, line.color, line.dashed ? " stroke-dasharray=\"6 4\"" : "",
                          line.name);
    for (const auto& [x, y] : line.points) {
      absl::StrAppendFormat(&svg,
                            "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"><title>%s: %.3f "
                            "</title></circle>\n",
                            x_axis.At(x), y_axis.At(std::log10(y)), line.color, line.name, y);
    }
  }
  absl::StrAppendFormat(
      &svg,
      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n"
      "<text transform=\"translate(14 %.1f) rotate(-90)\" text-anchor=\"middle\">%s</text>\n"
      "</svg>\n",
      (kLeft + kWidth - kRight) / 2, kHeight - 10, x_title, (kTop + kHeight - kBottom) / 2,
      y_title);
  std::string legend = "<p class=\"legend\">";
  for (const Line& line : lines) {
    absl::StrAppendFormat(&legend, "<span><i style=\"border-top: 3px %s %s\"></i>%s</span> ",
                          line.dashed ? "dashed" : "solid", line.color, line.name);
  }
  return absl::StrCat(svg, legend, "</p>\n");
}

}  // namespace hotel_reservation
