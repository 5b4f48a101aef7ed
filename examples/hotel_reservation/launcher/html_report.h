// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_HTML_REPORT_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_HTML_REPORT_H_

#include <string>

#include "examples/hotel_reservation/load_generator/result.pb.h"

namespace hotel_reservation {

// The report as one HTML page that needs nothing else: no network, no script.
std::string HtmlReport(const Report& report);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_HTML_REPORT_H_
