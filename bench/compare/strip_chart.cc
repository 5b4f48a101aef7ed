// SPDX-License-Identifier: Apache-2.0
#include "bench/compare/strip_chart.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/report/svg_chart.h"

namespace grpc_cxl::bench {
namespace {

constexpr double kWidth = 900, kLeft = 60, kRight = 20, kTop = 26, kStrip = 40, kBottom = 22;

}  // namespace

std::string StripChart::ToString() const {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const Strip& strip : strips) {
    for (const double value : strip.values) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  if (high <= low) high = low + 1;
  const auto x = [&](double value) {
    return kLeft + (value - low) / (high - low) * (kWidth - kLeft - kRight);
  };
  const double bottom = kTop + kStrip * strips.size();
  std::string svg = absl::StrFormat(
      "<svg viewBox=\"0 0 %g %g\" role=\"img\">\n<text x=\"%g\" y=\"14\">%s</text>\n", kWidth,
      bottom + kBottom, kLeft, EscapeHtml(title));
  for (const double at : {low, (low + high) / 2, high}) {
    absl::StrAppendFormat(&svg,
                          "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%g\" y2=\"%g\"/>"
                          "<text x=\"%.1f\" y=\"%g\" text-anchor=\"%s\">%.*f</text>\n",
                          x(at), x(at), kTop, bottom, x(at), bottom + 16,
                          at == high ? "end" : "middle", high >= 100 ? 0 : 2, at);
  }
  for (size_t row = 0; row < strips.size(); ++row) {
    const Strip& strip = strips[row];
    const double y = kTop + kStrip * (row + 0.5);
    absl::StrAppendFormat(&svg, "<text x=\"0\" y=\"%g\">%s</text>\n", y + 4,
                          EscapeHtml(strip.name));
    for (size_t i = 0; i < strip.values.size(); ++i) {
      // Spread out, so that equal values can be told apart.
      const double offset = static_cast<double>(i * 7 % 13) - 6;
      absl::StrAppendFormat(
          &svg, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\" fill-opacity=\"0.5\"/>",
          x(strip.values[i]), y + offset, strip.color);
    }
    absl::StrAppendFormat(&svg,
                          "\n<line class=\"range\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%g\" y2=\"%g\" "
                          "stroke-width=\"2\"/>\n",
                          x(strip.median), x(strip.median), y - 14, y + 14);
  }
  return svg + "</svg>\n";
}

}  // namespace grpc_cxl::bench
