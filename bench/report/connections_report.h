#ifndef GRPC_CXL_BENCH_REPORT_CONNECTIONS_REPORT_H_
#define GRPC_CXL_BENCH_REPORT_CONNECTIONS_REPORT_H_

#include <string>

#include "bench/report/report.pb.h"

namespace grpc_cxl::bench {

// What the figures of a ConnectionCost are, in a sentence or two for the reader of either.
inline constexpr char kWhatConnectionsCost[] =
    "One client and one server process. Memory: what each connection beyond the first adds, "
    "without the kernel's own for sockets; both map the arena. Idle: CPU time of processes that "
    "make no call. p50: 64-byte calls on one connection while the others rest.";

// One line a number of connections.
std::string ConnectionsAsTable(const Report& report);

// The same as a page of its own, with a plot of each figure against the number of connections.
std::string ConnectionsAsHtml(const Report& report);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_REPORT_CONNECTIONS_REPORT_H_
