// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_STATUS_STATUS_PAGE_H_
#define GRPC_CXL_STATUS_STATUS_PAGE_H_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/status/status_layout.h"

namespace grpc_cxl::internal {

// The content of a status page. A plain value.
struct StatusPage {
  StatusProcess process{};
  std::vector<StatusThread> threads;
  std::vector<StatusName> names;
  std::vector<StatusNetwork> networks;
  std::vector<StatusConnection> connections;
  std::vector<StatusNetworkPeer> network_peers;
};

// No page is larger, whatever it says.
inline constexpr size_t kMostStatusBytes = 1 << 20;

std::string EncodeStatus(const StatusPage& page);

// Believes nothing: `bytes` may be anything. UNAVAILABLE: they were written just now, or are not
// all there; read again. FAILED_PRECONDITION: another version, or no status page. Every text of
// the result ends with a zero byte, and has printable characters only.
absl::StatusOr<StatusPage> DecodeStatus(absl::string_view bytes);

// Sets a text, cut if it is too long.
template <size_t kBytes>
void SetText(char (&text)[kBytes], absl::string_view value) {
  const size_t size = std::min(value.size(), kBytes - 1);
  std::memcpy(text, value.data(), size);
  std::memset(text + size, 0, kBytes - size);
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_STATUS_STATUS_PAGE_H_
