// SPDX-License-Identifier: Apache-2.0
#include "bench/report/connections_report.h"

#include <cmath>
#include <cstdint>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/report/html_page.h"
#include "bench/report/report.h"
#include "bench/report/svg_chart.h"
#include "bench/report/table.h"

namespace grpc_cxl::bench {
namespace {

using Figure = double (ConnectionCost::*)() const;

// Draws a figure against the number of connections, both axes logarithmic. Leaves out zeros, which
// stand for missing figures.
void Draw(const Report& report, const std::string& y_title, Figure figure, HtmlPage& page) {
  SvgChart chart{"connections", y_title, {}, {}};
  std::set<uint32_t> counts;
  std::map<std::string, size_t> line_of;
  for (const ConnectionCost& cost : report.connections()) {
    const double y = (cost.*figure)();
    if (y <= 0) continue;
    counts.insert(cost.connections());
    std::string name = cost.transport();
    if (!cost.arena().empty()) absl::StrAppend(&name, ", ", cost.arena(), " arenas");
    const auto [line, is_new] = line_of.emplace(name, chart.lines.size());
    if (is_new) {
      chart.lines.push_back({name, HtmlPage::Color(cost.transport()), cost.arena() == "small", {}});
    }
    chart.lines[line->second].points.push_back({std::log2(cost.connections()), y});
  }
  if (counts.size() < 2) return;
  for (const uint32_t count : counts) {
    chart.x_ticks.push_back({std::log2(count), absl::StrCat(count)});
  }
  page.Heading(y_title);
  page.Chart(chart.ToString());
}

std::string InKib(bool known, double bytes) {
  return known ? absl::StrFormat("%.0f", bytes / 1024) : "";
}
std::string InMs(bool known, double ms) { return known ? absl::StrFormat("%.2f", ms) : ""; }

}  // namespace

std::string ConnectionsAsTable(const Report& report) {
  Table table({"transport", "arena", "connections", "connect ms", "longest", "server KiB",
               "client KiB", "arena KiB", "server idle ms/s", "client", "p50 us"},
              2);
  for (const ConnectionCost& cost : report.connections()) {
    table.AddRow({cost.transport(), cost.arena(), absl::StrCat(cost.connections()),
                  InMs(cost.has_connect_ms(), cost.connect_ms()),
                  InMs(cost.has_longest_connect_ms(), cost.longest_connect_ms()),
                  InKib(cost.has_server_bytes(), cost.server_bytes()),
                  InKib(cost.has_client_bytes(), cost.client_bytes()),
                  InKib(cost.has_arena_bytes(), cost.arena_bytes()),
                  InMs(true, cost.server_idle_ms_per_s()), InMs(true, cost.client_idle_ms_per_s()),
                  absl::StrFormat("%.1f", cost.p50_us())});
  }
  return table.ToString();
}

std::string ConnectionsAsHtml(const Report& report) {
  HtmlPage page("grpc_cxl: what connections cost");
  page.Note(MachineLine(report));
  page.Note(kWhatConnectionsCost);
  Draw(report, "p50 of calls on one connection, microseconds", &ConnectionCost::p50_us, page);
  Draw(report, "time to connect, median, milliseconds", &ConnectionCost::connect_ms, page);
  Draw(report, "idle server, milliseconds of CPU time a second",
       &ConnectionCost::server_idle_ms_per_s, page);
  Draw(report, "shared memory of a connection, bytes", &ConnectionCost::arena_bytes, page);
  Draw(report, "private memory of a connection in the server, bytes", &ConnectionCost::server_bytes,
       page);
  page.Heading("All figures");
  page.Preformatted(ConnectionsAsTable(report));
  return page.ToString();
}

}  // namespace grpc_cxl::bench
