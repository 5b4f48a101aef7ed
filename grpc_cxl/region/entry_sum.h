// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_REGION_ENTRY_SUM_H_
#define GRPC_CXL_REGION_ENTRY_SUM_H_

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "absl/strings/string_view.h"

namespace grpc_cxl::internal {

// The sum of a region's entry (docs/protocol.md, section 12.3), which finds damage, not malice.
class EntrySum {
 public:
  template <typename... Words>
  explicit EntrySum(Words... words) {
    (Add(words), ...);
  }
  void Add(uint64_t word) {
    value_ = (value_ ^ word) * 0x9e3779b97f4a7c15;
    value_ ^= value_ >> 29;
  }
  // The words that have content.
  void AddText(absl::string_view text) {
    for (size_t at = 0; at < text.size(); at += sizeof(uint64_t)) {
      uint64_t word = 0;
      memcpy(&word, text.data() + at, std::min(sizeof(word), text.size() - at));
      Add(word);
    }
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_ENTRY_SUM_H_
