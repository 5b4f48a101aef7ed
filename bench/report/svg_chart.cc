// SPDX-License-Identifier: Apache-2.0
#include "bench/report/svg_chart.h"

#include <algorithm>
#include <cmath>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace grpc_cxl::bench {
namespace {

constexpr double kWidth = 760, kHeight = 380;
constexpr double kLeft = 64, kRight = 28, kTop = 16, kBottom = 48;

// Maps values to coordinates.
struct Axis {
  double low, high, from, to;
  double At(double value) const { return from + (value - low) / (high - low) * (to - from); }
};

// In short form: 0.01, 10, 100k, 1M.
std::string PowerOfTen(double power) {
  const double value = std::pow(10, power);
  if (value >= 1e6) return absl::StrFormat("%gM", value / 1e6);
  return value >= 1e4 ? absl::StrFormat("%gk", value / 1e3) : absl::StrFormat("%g", value);
}

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
  double low = 1e300, high = 0;
  for (const Line& line : lines) {
    for (const Point& point : line.points) {
      low = std::min({low, point.y, point.low > 0 ? point.low : point.y});
      high = std::max({high, point.y, point.high});
    }
  }
  if (high == 0) low = high = 1;
  const double bottom = std::floor(std::log10(low)), top = std::ceil(std::log10(high) + 1e-9);
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
                          "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
                          kLeft, y_axis.At(power), kWidth - kRight, y_axis.At(power), kLeft - 6,
                          y_axis.At(power) + 4, PowerOfTen(power));
  }
  for (const Line& line : lines) {
    std::string points;
    for (const Point& point : line.points) {
      absl::StrAppendFormat(&points, "%.1f,%.1f ", x_axis.At(point.x),
                            y_axis.At(std::log10(point.y)));
    }
    absl::StrAppendFormat(&svg,
                          "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" "
                          "stroke-width=\"2\"%s><title>%s</title></polyline>\n",
                          points, line.color, line.dashed ? " stroke-dasharray=\"6 4\"" : "",
                          EscapeHtml(line.name));
    for (const Point& point : line.points) {
      const double x = x_axis.At(point.x), y = y_axis.At(std::log10(point.y));
      if (point.low > 0 && point.high > 0) {
        absl::StrAppendFormat(
            &svg, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x,
            y_axis.At(std::log10(point.low)), x, y_axis.At(std::log10(point.high)), line.color);
      }
      absl::StrAppendFormat(&svg,
                            "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"><title>%s: %.4g"
                            "</title></circle>\n",
                            x, y, line.color, EscapeHtml(line.name), point.y);
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
                          line.dashed ? "dashed" : "solid", line.color, EscapeHtml(line.name));
  }
  return absl::StrCat(svg, legend, "</p>\n");
}

std::string SvgBars::ToString() const {
  constexpr double kBar = 22, kNames = 190, kValues = 70;
  double highest = 0;
  for (const Bar& bar : bars) highest = std::max({highest, bar.value, bar.high});
  const Axis axis = {0, highest > 0 ? highest : 1, kNames, kWidth - kValues};
  std::string svg = absl::StrFormat(
      "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n"
      "<text x=\"%.0f\" y=\"14\">%s</text>\n",
      kWidth, kBar * (bars.size() + 1), EscapeHtml(title), kNames, EscapeHtml(title));
  double y = kBar;
  for (const Bar& bar : bars) {
    const double middle = y + kBar / 2 - 2;
    absl::StrAppendFormat(&svg,
                          "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>"
                          "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>"
                          "<line class=\"range\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
                          "<text x=\"%.1f\" y=\"%.1f\">%.4g</text>\n",
                          kNames - 8, middle + 4, EscapeHtml(bar.name), kNames, y,
                          axis.At(bar.value) - kNames, kBar - 5, bar.color, axis.At(bar.low),
                          middle, axis.At(bar.high), middle,
                          axis.At(std::max(bar.value, bar.high)) + 6, middle + 4, bar.value);
    y += kBar;
  }
  return svg + "</svg>\n";
}

std::string EscapeHtml(const std::string& text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
}

}  // namespace grpc_cxl::bench
