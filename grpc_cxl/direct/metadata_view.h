// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_METADATA_VIEW_H_
#define GRPC_CXL_DIRECT_METADATA_VIEW_H_

#include <grpcpp/support/string_ref.h>

#include <map>

#include "absl/strings/string_view.h"
#include "grpc_cxl/calls/call_codec.h"

namespace grpc_cxl::internal {

// Points into `metadata`.
inline MetadataView ViewOf(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata) {
  MetadataView view;
  view.reserve(metadata.size());
  for (const auto& [key, value] : metadata) {
    view.emplace_back(absl::string_view(key.data(), key.size()),
                      absl::string_view(value.data(), value.size()));
  }
  return view;
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_METADATA_VIEW_H_
