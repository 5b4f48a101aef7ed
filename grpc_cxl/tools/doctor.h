// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TOOLS_DOCTOR_H_
#define GRPC_CXL_TOOLS_DOCTOR_H_

#include <string>
#include <vector>

#include "grpc_cxl/event_engine/settings.h"

namespace grpc_cxl::internal {

// What was found out about one thing that grpc_cxl needs.
struct Finding {
  enum class Kind { kGood, kSlower, kBroken };
  Kind kind;
  std::string what;    // a word or two
  std::string detail;  // what is so, and, unless kGood, what to do
};

// Looks at this machine, this user and the directory of the settings. Takes a tenth of a second.
std::vector<Finding> Examine(const ChannelSettings& settings);

// A line for each finding, and one that sums them up.
std::string FindingsText(const std::vector<Finding>& findings);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TOOLS_DOCTOR_H_
