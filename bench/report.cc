#include "bench/report.h"

#include <grpcpp/grpcpp.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/table.h"
#include "google/protobuf/json/json.h"

namespace grpc_cxl::bench {
namespace {

double Smaller(double a, double b) { return std::min(a, b); }
double Larger(double a, double b) { return std::max(a, b); }

// The row's value / the better one of tcp's and unix's.
std::string Ratio(absl::Span<const Row> rows, const Row& row, double (Row::*field)() const,
                  double (*better)(double, double)) {
  std::optional<double> best;
  for (const Row& other : rows) {
    if (other.transport() != "tcp" && other.transport() != "unix") continue;
    if (other.service_api() != row.service_api()) continue;
    best = better(best.value_or((other.*field)()), (other.*field)());
  }
  return best && *best > 0 ? absl::StrFormat("%.2f", (row.*field)() / *best) : "";
}

}  // namespace

Report NewReport() {
  Report report;
  utsname name{};
  uname(&name);
  report.set_kernel(absl::StrCat(name.sysname, " ", name.release, " ", name.machine));
  report.set_cores(sysconf(_SC_NPROCESSORS_ONLN));
  report.set_grpc_version(grpc::Version());
#ifdef NDEBUG
  report.set_optimized_build(true);
#endif
  return report;
}

std::string RowsAsTable(absl::Span<const Row> rows) {
  Table table({"transport", "wait", "service", "p50 us", "p99 us", "calls/s", "CPU us/call",
               "faults/call", "MB/s", "of memcpy", "copies there", "back", "p50 ratio", "p99 ratio",
               "calls/s ratio", "CPU ratio"},
              3);
  for (const Row& row : rows) {
    table.AddRow({row.transport(), row.wait(), row.service_api(),
                  absl::StrFormat("%.1f", row.p50_us()), absl::StrFormat("%.1f", row.p99_us()),
                  absl::StrFormat("%.0f", row.calls_per_s()),
                  absl::StrFormat("%.1f", row.cpu_us_per_call()),
                  absl::StrFormat("%.1f", row.page_faults_per_call()),
                  absl::StrFormat("%.1f", row.bytes_per_s() / 1e6),
                  row.memcpy_bytes_per_s() > 0
                      ? absl::StrFormat("%.3f", row.bytes_per_s() / row.memcpy_bytes_per_s())
                      : "",
                  row.has_copies_there() ? absl::StrFormat("%.2f", row.copies_there()) : "",
                  row.has_copies_back() ? absl::StrFormat("%.2f", row.copies_back()) : "",
                  Ratio(rows, row, &Row::p50_us, Smaller), Ratio(rows, row, &Row::p99_us, Smaller),
                  Ratio(rows, row, &Row::calls_per_s, Larger),
                  Ratio(rows, row, &Row::cpu_us_per_call, Smaller)});
  }
  return table.ToString();
}

absl::Status WriteJson(const Report& report, const std::string& file) {
  google::protobuf::json::PrintOptions options;
  options.add_whitespace = true;
  options.always_print_fields_with_no_presence = true;
  options.preserve_proto_field_names = true;
  std::string json;
  absl::Status printed = google::protobuf::json::MessageToJsonString(report, &json, options);
  if (!printed.ok()) return printed;
  std::ofstream out(file);
  out << json << std::flush;
  if (!out) return absl::ErrnoToStatus(errno, absl::StrCat("Cannot write ", file));
  return absl::OkStatus();
}

}  // namespace grpc_cxl::bench
