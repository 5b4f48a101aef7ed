// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TOOLS_STATUS_REPORT_H_
#define GRPC_CXL_TOOLS_STATUS_REPORT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "grpc_cxl/tools/host_status.h"
#include "grpc_cxl/tools/text_table.h"

namespace grpc_cxl::internal {

// The whole of it as tables, for `cxl_stat --once`: lines of at most `width` characters, 0: of any
// length. `now` is nanoseconds since 1970.
std::string StatusReport(const HostStatus& host, size_t width, uint64_t now);

// Its parts.
TextTable ProcessTable(const HostStatus& host);
TextTable ConnectionTable(const std::vector<JoinedConnection>& connections, uint64_t now);
TextTable NetworkTable(const HostStatus& host);                    // addresses
TextTable NetworkPeerTable(const HostStatus& host, uint64_t now);  // connections

// All figures of a connection, with those of the client and of the server beside each other.
std::string ConnectionDetail(const JoinedConnection& joined);

// "payments:4711", or ":4711" of a process without a page.
std::string ProcessText(const ProcessStatus* process, uint32_t pid);
// Why calls took HTTP/2: "12 not eligible, 3 too large"; empty: none did.
std::string StreamReasons(const StatusProcess& process);
// Unary calls that took HTTP/2.
uint64_t StreamCalls(const StatusProcess& process);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TOOLS_STATUS_REPORT_H_
