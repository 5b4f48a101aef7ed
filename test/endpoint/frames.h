// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_ENDPOINT_FRAMES_H_
#define GRPC_CXL_TEST_ENDPOINT_FRAMES_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace grpc_cxl::internal {

// Frames of HTTP/2 (RFC 9113, section 4.1).
inline constexpr uint8_t kData = 0, kHeaders = 1, kSettings = 4, kContinuation = 9;
inline constexpr uint8_t kEndHeaders = 4;

inline std::string Frame(uint8_t type, uint8_t flags, uint8_t stream, size_t payload) {
  std::string frame(9 + payload, '*');
  for (int i = 0; i < 3; ++i) frame[i] = static_cast<char>(payload >> (16 - 8 * i));
  frame[3] = static_cast<char>(type);
  frame[4] = static_cast<char>(flags);
  frame.replace(5, 4, std::string(3, '\0') + static_cast<char>(stream));
  return frame;
}

inline std::string Settings() { return Frame(kSettings, 0, 0, 12); }

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_ENDPOINT_FRAMES_H_
