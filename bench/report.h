#ifndef GRPC_CXL_BENCH_REPORT_H_
#define GRPC_CXL_BENCH_REPORT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "bench/report.pb.h"

namespace grpc_cxl::bench {

// A report about this machine and this build, without rows.
Report NewReport();

// Rows of one case as a table. Bytes are those of requests; "copies" are the transport's own,
// request and response, beside those of protobuf and of the service. The last columns divide
// p50 and p99 by those of the better of tcp and unix; they are empty when neither is among
// the rows.
std::string RowsAsTable(absl::Span<const Row> rows);

// Writes the report as JSON; field names and units are those of report.proto.
absl::Status WriteJson(const Report& report, const std::string& file);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_REPORT_H_
