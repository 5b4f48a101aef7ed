// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_REPORT_CONNECTIONS_REPORT_H_
#define GRPC_CXL_BENCH_REPORT_CONNECTIONS_REPORT_H_

#include <string>

#include "bench/report/report.pb.h"

namespace grpc_cxl::bench {

// Explains the figures of a ConnectionCost to the reader of a report.
inline constexpr char kWhatConnectionsCost[] =
    "One client and one server process. Memory: added by each connection beyond the first, "
    "without the kernel's memory for sockets; both processes map the arena. Idle: CPU time of "
    "processes that make no call. p50: 64-byte calls on one connection while the others are idle.";

// A text table, one row per number of connections.
std::string ConnectionsAsTable(const Report& report);

// An HTML page with the table, and a plot of each figure against the number of connections.
std::string ConnectionsAsHtml(const Report& report);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_REPORT_CONNECTIONS_REPORT_H_
