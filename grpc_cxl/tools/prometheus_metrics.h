// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TOOLS_PROMETHEUS_METRICS_H_
#define GRPC_CXL_TOOLS_PROMETHEUS_METRICS_H_

#include <vector>

#include "grpc_cxl/tools/host_status.h"
#include "prometheus/metric_family.h"

namespace grpc_cxl::internal {

// What the pages say, as Prometheus wants it: names with the prefix grpc_cxl_, seconds and bytes,
// _total for what only grows. Each process is told from others by `command` and `pid`, each
// connection by `connection`, its arena's inode, besides: a figure never falls while its labels
// stay.
std::vector<prometheus::MetricFamily> PrometheusMetrics(const HostStatus& host);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TOOLS_PROMETHEUS_METRICS_H_
