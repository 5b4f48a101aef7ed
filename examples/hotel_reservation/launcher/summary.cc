// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/launcher/summary.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/report/table.h"

namespace hotel_reservation {
namespace {

// p50 of the searches, which are 60 % of the requests and have the longest chain of calls.
double SearchP50(const LoadResult& result) {
  for (const KindResult& kind : result.kinds()) {
    if (kind.kind() == "search") return kind.p50_ms();
  }
  return 0;
}

const TransportReport* Tcp(const Report& report) {
  for (const TransportReport& transport : report.transports()) {
    if (transport.transport() == "tcp") return &transport;
  }
  return nullptr;
}

std::string Ratio(double value, double of_tcp) {
  return value > 0 && of_tcp > 0 ? absl::StrFormat("%.2f", value / of_tcp) : "-";
}

}  // namespace

std::vector<std::string> SummaryTitles() {
  return {"transport", "p50 ms", "p99 ms",       "p99.9 ms", "search p50",    "/ tcp",
          "CPU us",    "/ tcp",  "RPCs/request", "errors",   "most served/s", "/ tcp"};
}

std::vector<std::vector<std::string>> SummaryRows(const Report& report) {
  const TransportReport* tcp = Tcp(report);
  const TransportReport none;
  const TransportReport& base = tcp == nullptr ? none : *tcp;
  std::vector<std::vector<std::string>> rows;
  for (const TransportReport& transport : report.transports()) {
    const LoadResult& same = transport.same_load();
    rows.push_back(
        {transport.transport(), absl::StrFormat("%.2f", same.p50_ms()),
         absl::StrFormat("%.2f", same.p99_ms()), absl::StrFormat("%.2f", same.p999_ms()),
         absl::StrFormat("%.2f", SearchP50(same)),
         Ratio(SearchP50(same), SearchP50(base.same_load())),
         absl::StrFormat("%.0f", same.services_cpu_us_per_request()),
         Ratio(same.services_cpu_us_per_request(), base.same_load().services_cpu_us_per_request()),
         absl::StrFormat("%.2f", same.rpcs_per_request()), absl::StrCat(same.errors()),
         absl::StrFormat("%.0f", transport.highest_served_per_s()),
         Ratio(transport.highest_served_per_s(), base.highest_served_per_s())});
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
      "gRPC %s, %d cores, %s%s", report.grpc_version(), report.cores(), report.kernel(),
      report.optimized_build() ? "" : " (NOT an optimized build: use -c opt for figures)");
}

std::string SummaryText(const Report& report) {
  grpc_cxl::bench::Table table(SummaryTitles(), 1);
  for (std::vector<std::string>& row : SummaryRows(report)) table.AddRow(std::move(row));
  std::string text = absl::StrFormat(
      "%s\n"
      "Eight services, %.0f requests/s offered to each transport, latency from the moment a "
      "request was due\n\n%s\n"
      "CPU: of the eight services, per request. RPCs: counted by the services behind the "
      "frontend.\n"
      "Most served: the highest offered load without an error and with p99 up to %.0f ms.\n"
      "With %s killed and started again under half of that load:\n",
      MachineLine(report), report.same_load_per_s(), table.ToString(), report.p99_limit_ms(),
      report.transports().empty() ? "a service" : report.transports(0).killed());
  for (const std::string& sentence : KillSentences(report)) {
    absl::StrAppend(&text, "  ", sentence, "\n");
  }
  return text;
}

}  // namespace hotel_reservation
