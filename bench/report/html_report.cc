// SPDX-License-Identifier: Apache-2.0
#include "bench/report/html_report.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/report/html_page.h"
#include "bench/report/report.h"
#include "bench/report/svg_chart.h"

namespace grpc_cxl::bench {
namespace {

std::string Bytes(double bytes) {
  if (bytes >= (1 << 20)) return absl::StrFormat("%g MiB", bytes / (1 << 20));
  if (bytes >= (1 << 10)) return absl::StrFormat("%g KiB", bytes / (1 << 10));
  return absl::StrFormat("%g B", bytes);
}

std::string Number(double number) { return absl::StrFormat("%g", number); }

std::string CaseName(const Row& row) {
  if (row.services() > 0) return absl::StrCat(row.api(), ", ", row.services(), " services");
  return absl::StrCat(row.api(), ", ", Bytes(row.size_bytes()), " as ", row.payload(), ", ",
                      row.concurrency(), " in flight");
}

// The main contender of a transport has a solid line, the others are dashed.
bool Dashed(const Row& row) { return row.wait() == "park" || row.pinned(); }

// Draws a figure of `rows` against the logarithm of x.
SvgChart Against(const std::vector<Row>& rows, const std::string& x_title,
                 uint32_t (Row::*x)() const, std::string (*x_label)(double),
                 const std::string& y_title, double (Row::*y)() const, bool with_ranges) {
  SvgChart chart{x_title, y_title, {}, {}};
  std::set<uint32_t> xs;
  std::map<std::string, size_t> line_of;
  for (const Row& row : rows) {
    const uint32_t at = (row.*x)();
    const double value = (row.*y)();
    if (value <= 0) continue;
    xs.insert(at);
    const std::string name = ContenderName(rows, row);
    const auto [line, is_new] = line_of.emplace(name, chart.lines.size());
    if (is_new) {
      chart.lines.push_back({name, HtmlPage::Color(row.transport()), Dashed(row), {}});
    }
    chart.lines[line->second].points.push_back({std::log2(std::max(at, 1u)), value,
                                                with_ranges ? row.p50_low_us() : 0,
                                                with_ranges ? row.p50_high_us() : 0});
  }
  for (const uint32_t at : xs) chart.x_ticks.push_back({std::log2(std::max(at, 1u)), x_label(at)});
  return chart;
}

// Draws each group of rows with an equal `key` that has several x.
template <typename Key>
void DrawGroups(const Report& report, Key key, uint32_t (Row::*x)() const,
                std::string (*x_label)(double), const std::string& x_title, HtmlPage& page) {
  std::map<std::string, std::vector<Row>> groups;
  for (const Row& row : report.rows()) groups[key(row)].push_back(row);
  for (const auto& [name, rows] : groups) {
    std::set<uint32_t> xs;
    for (const Row& row : rows) xs.insert((row.*x)());
    if (xs.size() < 2) continue;
    page.Heading(name);
    page.Chart(Against(rows, x_title, x, x_label, "p50, microseconds", &Row::p50_us,
                       /*with_ranges=*/true)
                   .ToString());
    page.Chart(Against(rows, x_title, x, x_label, "calls per second", &Row::calls_per_s,
                       /*with_ranges=*/false)
                   .ToString());
  }
}

void DrawCase(const std::vector<Row>& rows, HtmlPage& page) {
  if (rows.front().services() > 0) return;  // the chart shows everything
  SvgBars latency{"p50 in microseconds; the line spans the fastest to the slowest round", {}};
  SvgBars cpu{"CPU time of both processes, microseconds per call", {}};
  for (const Row& row : rows) {
    const std::string name = ContenderName(rows, row), color = HtmlPage::Color(row.transport());
    latency.bars.push_back({name, color, row.p50_us(), row.p50_low_us(), row.p50_high_us()});
    cpu.bars.push_back(
        {name, color, row.cpu_us_per_call(), row.cpu_us_per_call(), row.cpu_us_per_call()});
  }
  page.Heading(CaseName(rows.front()));
  page.Chart(latency.ToString());
  page.Chart(cpu.ToString());
  page.Preformatted(RowsAsTable(rows));
}

}  // namespace

std::string HtmlReport(const Report& report) {
  HtmlPage page("gRPC calls, transport by transport");
  page.Note(MachineLine(report));
  page.Note(absl::StrFormat(
      "Medians of %d interleaved rounds. Every transport has its own server and client process. "
      "Compare the transports of one report: absolute times depend on the machine and on what else "
      "it does.",
      report.rounds()));
  DrawGroups(
      report,
      [](const Row& row) {
        return absl::StrCat("Against the size: ", row.api(), " as ", row.payload(), ", ",
                            row.concurrency(), " in flight");
      },
      &Row::size_bytes, Bytes, "bytes of the request, and of the response", page);
  DrawGroups(
      report,
      [](const Row& row) {
        return absl::StrCat("Against the calls in flight: ", row.api(), ", ",
                            Bytes(row.size_bytes()), " as ", row.payload());
      },
      &Row::concurrency, Number, "calls in flight", page);
  DrawGroups(
      report,
      [](const Row& row) {
        return row.api() == "chain" ? "A chain of services" : "A fan-out to services";
      },
      &Row::services, Number, "services", page);
  std::vector<Row> rows;
  for (const Row& row : report.rows()) {
    if (!rows.empty() && CaseName(rows.front()) != CaseName(row)) {
      DrawCase(rows, page);
      rows.clear();
    }
    rows.push_back(row);
  }
  if (!rows.empty()) DrawCase(rows, page);
  return page.ToString();
}

}  // namespace grpc_cxl::bench
