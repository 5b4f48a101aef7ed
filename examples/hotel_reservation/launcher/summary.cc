// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/launcher/summary.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/report/table.h"
#include "examples/hotel_reservation/launcher/figures.h"

namespace hotel_reservation {
namespace {

SummaryCell Cell(const Spread& spread, int digits) {
  const auto format = [digits](double value) { return absl::StrFormat("%.*f", digits, value); };
  return {format(spread.median()), format(spread.lowest()), format(spread.highest())};
}

SummaryCell RatioCell(const Figure& figure, const Report& report, bool known) {
  if (!figure.has_to_tcp()) return {"-", "-", "-"};
  SummaryCell cell = Cell(figure.to_tcp(), 2);
  if (!known && figure.name() == kMostServed) return {"?", cell.lowest, cell.highest};
  cell.claimed = report.too_busy().empty() && Agrees(figure.to_tcp(), kNoiseLimit);
  return cell;
}

// False when the transport's or tcp's passes differ too much.
bool MostServedIsKnown(const Report& report, const TransportReport& transport) {
  for (const TransportReport& other : report.transports()) {
    if (other.transport() == "tcp" && other.too_busy()) return false;
  }
  return !transport.too_busy();
}

}  // namespace

std::vector<std::string> SummaryTitles(const Report& report) {
  std::vector<std::string> titles = {"transport"};
  if (report.transports().empty()) return titles;
  for (const Figure& figure : report.transports(0).figures()) {
    titles.push_back(figure.name());
    if (figure.compared()) titles.push_back("/ tcp");
  }
  return titles;
}

std::vector<SummaryRow> SummaryRows(const Report& report) {
  std::vector<SummaryRow> rows;
  for (const TransportReport& transport : report.transports()) {
    SummaryRow& row = rows.emplace_back(SummaryRow{transport.transport(), {}});
    for (const Figure& figure : transport.figures()) {
      row.cells.push_back(Cell(figure.value(), figure.digits()));
      if (!figure.compared()) continue;
      row.cells.push_back(RatioCell(figure, report, MostServedIsKnown(report, transport)));
    }
  }
  return rows;
}

std::vector<std::string> KillSentences(const Report& report) {
  std::vector<std::string> sentences;
  for (const TransportReport& transport : report.transports()) {
    const LoadResult& kill = transport.kill();
    const double share = kill.sent() == 0 ? 0 : 100.0 * kill.errors() / kill.sent();
    sentences.push_back(absl::StrFormat(
        "%s: %d of %d requests failed (%.1f %%)%s", transport.transport(), kill.errors(),
        kill.sent(), share,
        kill.errors() == 0
            ? "."
            : absl::StrFormat(", due within %.2f s.", kill.last_error_s() - kill.first_error_s())));
  }
  return sentences;
}

std::string MachineLine(const Report& report) {
  return absl::StrFormat(
      "gRPC %s, %d cores, of which other programs took %.0f %%, %s%s", report.grpc_version(),
      report.cores(), report.others_cpu_share() * 100, report.kernel(),
      report.optimized_build() ? "" : " (NOT an optimized build: use -c opt for figures)");
}

std::string Method(const Report& report) {
  const int passes = report.transports().empty() ? 0 : report.transports(0).passes_size();
  return absl::StrFormat(
      "Medians of %d passes, in which the transports took turns, with the lowest and the "
      "highest%s. "
      "A ratio compares figures of the same pass. CPU: of the eight services, per request. RPCs: "
      "counted by the services behind the frontend. Most served: the highest offered load without "
      "an error and with p99 up to %.0f ms.",
      passes, passes >= kPassesToTrim ? " of all but the two outermost" : "",
      report.p99_limit_ms());
}

std::string SummaryText(const Report& report) {
  grpc_cxl::bench::Table table(SummaryTitles(report), 1);
  for (const SummaryRow& row : SummaryRows(report)) {
    std::vector<std::string> medians = {row.transport}, lowest = {"  lowest"},
                             highest = {"  highest"};
    for (const SummaryCell& cell : row.cells) {
      medians.push_back(cell.text);
      lowest.push_back(cell.lowest);
      highest.push_back(cell.highest);
    }
    for (std::vector<std::string>* cells : {&medians, &lowest, &highest}) {
      table.AddRow(std::move(*cells));
    }
  }
  std::string text = absl::StrFormat(
      "%s\n"
      "Eight services, %.0f requests/s offered to each transport, latency from the moment a "
      "request was due\n\n%s\n",
      MachineLine(report), report.same_load_per_s(), table.ToString());
  for (const std::string& line : report.too_busy()) absl::StrAppend(&text, line, "\n");
  absl::StrAppendFormat(&text, "%s\nWith %s killed and started again under half of that load:\n",
                        Method(report),
                        report.transports().empty() ? "a service" : report.transports(0).killed());
  for (const std::string& sentence : KillSentences(report)) {
    absl::StrAppend(&text, "  ", sentence, "\n");
  }
  return text;
}

}  // namespace hotel_reservation
