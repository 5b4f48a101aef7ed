#ifndef GRPC_CXL_BENCH_REPORT_HTML_REPORT_H_
#define GRPC_CXL_BENCH_REPORT_HTML_REPORT_H_

#include <string>

#include "bench/report/report.pb.h"

namespace grpc_cxl::bench {

// A report of rpc_bench as an HTML page: latency against size and against calls in flight
// where the report has several of them, and bars and tables of every case.
std::string HtmlReport(const Report& report);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_REPORT_HTML_REPORT_H_
