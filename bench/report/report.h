#ifndef GRPC_CXL_BENCH_REPORT_REPORT_H_
#define GRPC_CXL_BENCH_REPORT_REPORT_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "bench/report/report.pb.h"
#include "google/protobuf/message.h"

namespace grpc_cxl::bench {

// A report about this machine and this build, without rows.
Report NewReport();

// The machine and the build, for people.
std::string MachineLine(const Report& report);

// A figure of `row` divided by that of the better of the rows of tcp and unix that ran under
// the same conditions (service, pinning); nothing when there is none. `higher_is_better` for
// rates.
std::optional<double> Ratio(absl::Span<const Row> rows, const Row& row,
                            double (Row::*figure)() const, bool higher_is_better = false);

// What a row measures, beside its case: transport and wait policy, and the rest where the rows
// differ in it.
std::string ContenderName(absl::Span<const Row> rows, const Row& row);

// Rows of one case as two tables: what callers see, and what it costs both processes. Bytes
// are those of requests; "low" and "high" are the p50 of the fastest and the slowest round;
// "copies" are the transport's own, request and response, beside those of protobuf and of the
// service. Ratios are to the better of tcp and unix.
std::string RowsAsTable(absl::Span<const Row> rows);

// Writes the report as JSON; field names and units are those of its .proto file.
absl::Status WriteJson(const google::protobuf::Message& report, const std::string& file);

absl::Status WriteText(const std::string& text, const std::string& file);

// The report to the file `json`, and `page`, the same as HTML, to the file `html`; where the name
// of a file is empty, nothing is written.
absl::Status WriteReport(const Report& report, const std::string& json, const std::string& page,
                         const std::string& html);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_REPORT_REPORT_H_
