// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/tools/version.h"

#include <utility>

#include "absl/flags/usage_config.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/base/layout_version.h"
#include "grpc_cxl/base/library_version.h"
#include "grpc_cxl/direct/grpc_version.h"

namespace grpc_cxl::internal {

std::string VersionText() {
  return absl::StrCat("grpc_cxl ", kLibraryVersion, ", layout ", kLayoutVersion, ", gRPC ",
                      GrpcVersion(), "\n");
}

void AnswerVersion() {
  absl::FlagsUsageConfig config;
  config.version_string = VersionText;
  absl::SetFlagsUsageConfig(std::move(config));
}

}  // namespace grpc_cxl::internal
