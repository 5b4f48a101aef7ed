// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/launcher/html_report.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/report/svg_chart.h"
#include "examples/hotel_reservation/launcher/summary.h"

namespace hotel_reservation {
namespace {

using grpc_cxl::bench::EscapeHtml;
using grpc_cxl::bench::RoundTicks;
using grpc_cxl::bench::SvgChart;

constexpr char kHead[] = R"html(<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hotel reservation on three transports</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2330; max-width: 900px; margin: 2em auto;
  padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 8px; text-align: right; border-bottom: 1px solid #dde2ea; }
th:first-child, td:first-child { text-align: left; }
th { font-weight: 600; color: #55607a; }
svg { width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: #55607a; }
.grid { stroke: #e4e8ef; }
.legend span { margin-right: 1.5em; white-space: nowrap; }
.legend i { display: inline-block; width: 28px; margin-right: 6px; vertical-align: middle; }
.note { color: #55607a; }
</style></head><body>
)html";

std::string Color(const std::string& transport) {
  if (transport == "tcp") return "#c2410c";
  return transport == "unix" ? "#0f766e" : "#1d4ed8";
}

std::string Table(const Report& report) {
  std::string html = "<table><tr>";
  for (const std::string& title : SummaryTitles()) {
    absl::StrAppend(&html, "<th>", EscapeHtml(title), "</th>");
  }
  for (const std::vector<std::string>& row : SummaryRows(report)) {
    absl::StrAppend(&html, "</tr>\n<tr>");
    for (const std::string& cell : row) absl::StrAppend(&html, "<td>", EscapeHtml(cell), "</td>");
  }
  return html + "</tr></table>\n";
}

std::string LoadChart(const Report& report) {
  SvgChart chart{"offered load, requests per second", "latency, ms", {}, {}};
  double highest = 0;
  for (const TransportReport& transport : report.transports()) {
    SvgChart::Line p50{transport.transport() + " p50", Color(transport.transport()), false, {}};
    SvgChart::Line p99{transport.transport() + " p99", Color(transport.transport()), true, {}};
    for (const LoadResult& step : transport.ladder()) {
      highest = std::max(highest, step.offered_per_s());
      if (step.p50_ms() > 0) p50.points.emplace_back(step.offered_per_s(), step.p50_ms());
      if (step.p99_ms() > 0) p99.points.emplace_back(step.offered_per_s(), step.p99_ms());
    }
    chart.lines.push_back(std::move(p50));
    chart.lines.push_back(std::move(p99));
  }
  chart.x_ticks = RoundTicks(highest);
  return chart.ToString();
}

// How many nines: 90 % stands at 1, 99 % at 2.
double Nines(double percent) { return -std::log10(std::max(1 - percent / 100, 1e-9)); }

std::string DistributionChart(const Report& report) {
  constexpr double kLast = 99.99;
  SvgChart chart{"share of the requests that took no longer", "latency, ms", {}, {}};
  for (const double percent : {0.0, 50.0, 90.0, 99.0, 99.9, kLast}) {
    chart.x_ticks.push_back({Nines(percent), absl::StrFormat("%g %%", percent)});
  }
  for (const TransportReport& transport : report.transports()) {
    SvgChart::Line line{transport.transport(), Color(transport.transport()), false, {}};
    for (const Quantile& quantile : transport.same_load().distribution()) {
      if (quantile.percent() > kLast || quantile.ms() <= 0) continue;
      line.points.emplace_back(Nines(quantile.percent()), quantile.ms());
    }
    chart.lines.push_back(std::move(line));
  }
  return chart.ToString();
}

std::string Errors(const Report& report) {
  std::string html;
  for (const TransportReport& transport : report.transports()) {
    for (const auto& [text, count] : transport.kill().errors_by_text()) {
      absl::StrAppend(&html, "<li>", transport.transport(), ", ", count,
                      " times: ", EscapeHtml(text), "</li>\n");
    }
  }
  return html.empty() ? "" : absl::StrCat("<ul class=\"note\">", html, "</ul>\n");
}

}  // namespace

std::string HtmlReport(const Report& report) {
  std::string html = kHead;
  absl::StrAppend(
      &html, "<h1>Hotel reservation on three transports</h1>\n<p class=\"note\">",
      EscapeHtml(MachineLine(report)), "</p>\n",
      absl::StrFormat("<p>Eight services, the same programs on each transport: only addresses "
                      "and credentials differ. %.0f requests per second are offered to each; "
                      "latencies count from the moment a request was due.</p>\n",
                      report.same_load_per_s()),
      Table(report),
      absl::StrFormat(
          "<p class=\"note\">CPU: of the eight services, per request. RPCs: counted by the "
          "services behind the frontend. Most served: the highest offered load without an error "
          "and with p99 up to %.0f ms.</p>\n",
          report.p99_limit_ms()),
      "<h2>Latency against offered load</h2>\n", LoadChart(report),
      absl::StrFormat("<h2>Distribution of the latency at %.0f requests per second</h2>\n",
                      report.same_load_per_s()),
      DistributionChart(report), "<h2>A service is killed and started again under load</h2>\n<ul>");
  for (const std::string& sentence : KillSentences(report)) {
    absl::StrAppend(&html, "<li>", EscapeHtml(sentence), "</li>\n");
  }
  absl::StrAppend(&html, "</ul>\n", Errors(report), "</body></html>\n");
  return html;
}

}  // namespace hotel_reservation
