// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TOOLS_FIGURES_H_
#define GRPC_CXL_TOOLS_FIGURES_H_

#include <cstdint>
#include <string>

namespace grpc_cxl::internal {

// Figures for people, in at most six characters.
std::string CountText(uint64_t count);  // "987", "12.3k", "4.56M"
std::string BytesText(uint64_t bytes);  // "987", "12.3K", "4.56M": by 1024
std::string TimeText(uint64_t ns);      // "-" for 0, "9.73us", "1.20ms", "3.4s", "12m", "5h", "8d"

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TOOLS_FIGURES_H_
