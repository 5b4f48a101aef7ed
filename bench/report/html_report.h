// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_REPORT_HTML_REPORT_H_
#define GRPC_CXL_BENCH_REPORT_HTML_REPORT_H_

#include <string>

#include "bench/report/report.pb.h"

namespace grpc_cxl::bench {

// The rows of a report as an HTML page: latency against size, against calls in flight and against
// services, where the report has several of them; bars and a table for every case.
std::string HtmlReport(const Report& report);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_REPORT_HTML_REPORT_H_
