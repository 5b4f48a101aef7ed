// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_REPORT_REPORT_H_
#define GRPC_CXL_BENCH_REPORT_REPORT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "bench/report/report.pb.h"
#include "google/protobuf/message.h"

namespace grpc_cxl::bench {

// A report with this machine and this build, and no rows.
Report NewReport();

// The machine and the build in one line.
std::string MachineLine(const Report& report);

// Identifies a row among `rows` of one case: its transport and wait policy, and the API of its
// service and pinning where these differ.
std::string ContenderName(absl::Span<const Row> rows, const Row& row);

// The rows of one case as two text tables: latency and throughput, and the cost to both processes.
// "low" and "high" are the p50 of the fastest and the slowest round. MB/s counts requests. "copies"
// are the transport's own, without those of protobuf and the service. A ratio compares with the
// better of the rows of tcp and unix with the same service and pinning; blank without these.
std::string RowsAsTable(absl::Span<const Row> rows);

// Writes `message` as JSON with the field names of its .proto file, zeros included.
absl::Status WriteJson(const google::protobuf::Message& message, const std::string& file);

// Writes a report as JSON to the file `json`, and the HTML `page` to the file `html`, unless the
// file's name is empty.
absl::Status WriteReport(const google::protobuf::Message& report, const std::string& json,
                         const std::string& page, const std::string& html);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_REPORT_REPORT_H_
