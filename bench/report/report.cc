// SPDX-License-Identifier: Apache-2.0
#include "bench/report/report.h"

#include <grpcpp/grpcpp.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "bench/report/table.h"
#include "google/protobuf/json/json.h"

namespace grpc_cxl::bench {
namespace {

// "model name" of the first processor.
std::string CpuModel() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (fields.size() == 2 && absl::StripAsciiWhitespace(fields[0]) == "model name") {
      return std::string(absl::StripAsciiWhitespace(fields[1]));
    }
  }
  return "unknown processor";
}

std::string Number(std::optional<double> value, int digits) {
  return value ? absl::StrFormat("%.*f", digits, *value) : "";
}

// The columns that identify a row.
std::vector<std::string> Titles(absl::Span<const Row> rows) {
  std::vector<std::string> titles = {"transport", "wait", "service"};
  for (const Row& row : rows) {
    if (row.pinned()) return {"transport", "wait", "service", "pinned"};
  }
  return titles;
}
std::vector<std::string> Names(const std::vector<std::string>& titles, const Row& row) {
  std::vector<std::string> names = {row.transport(), row.wait(), row.service_api()};
  if (titles.size() > names.size()) names.push_back(row.pinned() ? "yes" : "no");
  return names;
}

std::vector<std::string> Joined(std::vector<std::string> first,
                                const std::vector<std::string>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// A figure of `row` divided by that of the better comparable row of tcp and unix.
std::optional<double> Ratio(absl::Span<const Row> rows, const Row& row,
                            double (Row::*figure)() const, bool higher_is_better = false) {
  std::optional<double> best;
  for (const Row& other : rows) {
    if (other.transport() != "tcp" && other.transport() != "unix") continue;
    if (other.service_api() != row.service_api() || other.pinned() != row.pinned()) continue;
    const double value = (other.*figure)();
    if (!best || (higher_is_better ? value > *best : value < *best)) best = value;
  }
  if (!best || *best <= 0) return std::nullopt;
  return (row.*figure)() / *best;
}

absl::Status WriteText(const std::string& text, const std::string& file) {
  std::ofstream out(file);
  out << text << std::flush;
  if (!out) return absl::ErrnoToStatus(errno, absl::StrCat("Cannot write ", file));
  return absl::OkStatus();
}

}  // namespace

Report NewReport() {
  Report report;
  utsname name{};
  uname(&name);
  report.set_kernel(absl::StrCat(name.sysname, " ", name.release, " ", name.machine));
  report.set_cores(sysconf(_SC_NPROCESSORS_ONLN));
  report.set_cpu(CpuModel());
  report.set_grpc_version(grpc::Version());
#ifdef NDEBUG
  report.set_optimized_build(true);
#endif
  return report;
}

std::string MachineLine(const Report& report) {
  return absl::StrFormat("gRPC %s, %d cores, %s, %s%s", report.grpc_version(), report.cores(),
                         report.cpu(), report.kernel(),
                         report.optimized_build() ? "" : " (NOT an optimized build: use -c opt)");
}

std::string ContenderName(absl::Span<const Row> rows, const Row& row) {
  std::string name = row.transport();
  if (row.wait() != "kernel" && row.wait() != "gRPC") absl::StrAppend(&name, " ", row.wait());
  for (const Row& other : rows) {
    if (other.service_api() != row.service_api()) {
      absl::StrAppend(&name, ", ", row.service_api(), " service");
      break;
    }
  }
  if (row.pinned()) absl::StrAppend(&name, ", pinned");
  return name;
}

std::string RowsAsTable(absl::Span<const Row> rows) {
  const std::vector<std::string> titles = Titles(rows);
  Table seen(Joined(titles, {"p50 us", "low", "high", "p99 us", "calls/s", "MB/s", "of memcpy",
                             "p50 ratio", "p99 ratio", "calls/s ratio"}),
             titles.size());
  Table cost(Joined(titles, {"CPU us/call", "CPU ratio", "switches/call", "faults/call",
                             "syscalls/call", "copies there", "back"}),
             titles.size());
  for (const Row& row : rows) {
    std::optional<double> of_memcpy, syscalls, there, back;
    if (row.memcpy_bytes_per_s() > 0) of_memcpy = row.bytes_per_s() / row.memcpy_bytes_per_s();
    if (row.has_syscalls_per_call()) syscalls = row.syscalls_per_call();
    if (row.has_copies_there()) there = row.copies_there();
    if (row.has_copies_back()) back = row.copies_back();
    seen.AddRow(Joined(
        Names(titles, row),
        {Number(row.p50_us(), 1), Number(row.p50_low_us(), 1), Number(row.p50_high_us(), 1),
         Number(row.p99_us(), 1), Number(row.calls_per_s(), 0), Number(row.bytes_per_s() / 1e6, 1),
         Number(of_memcpy, 3), Number(Ratio(rows, row, &Row::p50_us), 2),
         Number(Ratio(rows, row, &Row::p99_us), 2),
         Number(Ratio(rows, row, &Row::calls_per_s, /*higher_is_better=*/true), 2)}));
    cost.AddRow(Joined(
        Names(titles, row),
        {Number(row.cpu_us_per_call(), 1), Number(Ratio(rows, row, &Row::cpu_us_per_call), 2),
         Number(row.context_switches_per_call(), 2), Number(row.page_faults_per_call(), 1),
         Number(syscalls, 1), Number(there, 2), Number(back, 2)}));
  }
  return absl::StrCat(seen.ToString(), "\n", cost.ToString());
}

absl::Status WriteJson(const google::protobuf::Message& message, const std::string& file) {
  google::protobuf::json::PrintOptions options;
  options.add_whitespace = true;
  options.always_print_fields_with_no_presence = true;
  options.preserve_proto_field_names = true;
  std::string json;
  absl::Status printed = google::protobuf::json::MessageToJsonString(message, &json, options);
  if (!printed.ok()) return printed;
  return WriteText(json, file);
}

absl::Status WriteReport(const google::protobuf::Message& report, const std::string& json,
                         const std::string& page, const std::string& html) {
  if (!json.empty()) {
    if (absl::Status written = WriteJson(report, json); !written.ok()) return written;
  }
  return html.empty() ? absl::OkStatus() : WriteText(page, html);
}

}  // namespace grpc_cxl::bench
