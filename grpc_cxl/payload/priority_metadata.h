// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_PAYLOAD_PRIORITY_METADATA_H_
#define GRPC_CXL_PAYLOAD_PRIORITY_METADATA_H_

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/priority_level.h"

// The metadata that tells a call's priority: the Priority field of HTTP (RFC 9218). Thread-safe.
namespace grpc_cxl::internal {

inline constexpr char kPriorityKey[] = "priority";

// The values of a field that says nothing.
struct PriorityField {
  int urgency = 3;  // 0, the most urgent, to 7
  bool incremental = false;

  friend bool operator==(const PriorityField&, const PriorityField&) = default;
};

// What a text says. One that is no field, or longer than any that has a meaning, says nothing.
PriorityField ParsePriority(absl::string_view text);
std::string PriorityText(PriorityField field);

Priority LevelOf(PriorityField field);
PriorityField FieldOf(Priority priority);

// The field in a call's metadata, a multimap of gRPC's; nullopt if there is none. Several entries
// are one field, of which the last part counts.
template <typename Metadata>
std::optional<PriorityField> FindPriority(const Metadata& metadata) {
  const auto [begin, end] = metadata.equal_range(kPriorityKey);
  if (begin == end) return std::nullopt;
  std::string text;
  for (auto it = begin; it != end; ++it) {
    absl::StrAppend(&text, it == begin ? "" : ", ",
                    absl::string_view(it->second.data(), it->second.size()));
  }
  return ParsePriority(text);
}

template <typename Metadata>
Priority PriorityIn(const Metadata& metadata) {
  return LevelOf(FindPriority(metadata).value_or(PriorityField()));
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_PAYLOAD_PRIORITY_METADATA_H_
