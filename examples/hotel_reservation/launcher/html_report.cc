// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/launcher/html_report.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/report/svg_chart.h"
#include "examples/hotel_reservation/launcher/figures.h"
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
td { vertical-align: top; }
small { display: block; color: #55607a; font-size: 0.75em; line-height: 1.3; }
.busy { border-left: 4px solid #c2410c; padding-left: 0.7em; font-weight: 600; margin: 0.4em 0; }
</style></head><body>
)html";

std::string Color(const std::string& transport) {
  if (transport == "tcp") return "#c2410c";
  if (transport == "auto") return "#7e22ce";
  if (transport == "cxl/1") return "#0369a1";
  return transport == "unix" ? "#0f766e" : "#1d4ed8";
}

std::string Table(const Report& report) {
  std::string html = "<table><tr>";
  for (const std::string& title : SummaryTitles(report)) {
    absl::StrAppend(&html, "<th>", EscapeHtml(title), "</th>");
  }
  for (const SummaryRow& row : SummaryRows(report)) {
    absl::StrAppend(&html, "</tr>\n<tr><td>", EscapeHtml(row.transport), "</td>");
    for (const SummaryCell& cell : row.cells) {
      absl::StrAppend(&html, "<td>", cell.claimed ? "<b>" : "", EscapeHtml(cell.text),
                      cell.claimed ? "</b>" : "");
      if (cell.lowest != cell.highest) {
        absl::StrAppend(&html, "<small>", cell.lowest, "<br>", cell.highest, "</small>");
      }
      html += "</td>";
    }
  }
  return html + "</tr></table>\n";
}

// A point of the chart for steps with nearly the same load: their medians, and the range.
SvgChart::Point Point(const std::vector<const LoadResult*>& steps,
                      double (*latency)(const LoadResult&)) {
  std::vector<double> loads, latencies;
  for (const LoadResult* step : steps) {
    loads.push_back(step->offered_per_s());
    latencies.push_back(latency(*step));
  }
  const Spread spread = SpreadOf(latencies);
  SvgChart::Point point{SpreadOf(loads).median(), spread.median()};
  if (spread.lowest() < spread.highest()) {
    point.low = spread.lowest();
    point.high = spread.highest();
  }
  return point;
}

std::string LoadChart(const Report& report) {
  constexpr double kNear = 1.05;
  SvgChart chart{"offered load, requests per second", "latency, ms", {}, {}};
  double highest = 0;
  for (const TransportReport& transport : report.transports()) {
    SvgChart::Line p50{transport.transport() + " p50", Color(transport.transport()), false, {}};
    SvgChart::Line p99{transport.transport() + " p99", Color(transport.transport()), true, {}};
    std::vector<const LoadResult*> steps;
    for (const LoadResult& step : transport.steps()) {
      if (step.p50_ms() > 0) steps.push_back(&step);
    }
    std::sort(steps.begin(), steps.end(), [](const LoadResult* a, const LoadResult* b) {
      return a->offered_per_s() < b->offered_per_s();
    });
    for (auto from = steps.begin(); from != steps.end();) {
      const auto to = std::find_if(from, steps.end(), [from](const LoadResult* step) {
        return step->offered_per_s() > (*from)->offered_per_s() * kNear;
      });
      const std::vector<const LoadResult*> near(from, to);
      p50.points.push_back(Point(near, [](const LoadResult& step) { return step.p50_ms(); }));
      p99.points.push_back(Point(near, [](const LoadResult& step) { return step.p99_ms(); }));
      highest = std::max(highest, p50.points.back().x);
      from = to;
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

std::string TooBusy(const Report& report) {
  std::string html;
  for (const std::string& line : report.too_busy()) {
    absl::StrAppend(&html, "<p class=\"busy\">", EscapeHtml(line), "</p>\n");
  }
  return html;
}

}  // namespace

std::string HtmlReport(const Report& report) {
  std::string html = kHead;
  absl::StrAppend(
      &html, "<h1>Hotel reservation on three transports</h1>\n<p class=\"note\">",
      EscapeHtml(MachineLine(report)), "</p>\n",
      absl::StrFormat("<p>Eight services, the same programs on each transport: only addresses "
                      "and credentials differ; with /1, all are in one process. %.0f requests per "
                      "second are offered to each; "
                      "latencies count from the moment a request was due.</p>\n",
                      report.same_load_per_s()),
      Table(report), TooBusy(report), "<p class=\"note\">", EscapeHtml(Method(report)),
      " Ratios in bold differ by less than 15 % between the passes.</p>\n",
      "<h2>Latency against offered load</h2>\n", LoadChart(report),
      "<p class=\"note\">A point stands for steps with nearly the same load, with their range. A "
      "step "
      "that could no longer be kept up with ended early.</p>\n",
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
