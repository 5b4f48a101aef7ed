// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_LINK_STREAM_BYTES_H_
#define GRPC_CXL_TEST_LINK_STREAM_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace grpc_cxl::internal {

// The byte at each position of a stream under test: a lost, doubled or moved byte is wrong at
// its position.
inline char ByteAt(uint64_t position) {
  const uint64_t block = (position >> 3) * 0x9e3779b97f4a7c15;
  return static_cast<char>((block ^ (block >> 29)) >> (8 * (position & 7)));
}

// `bytes` of it.
inline std::string TextAt(uint64_t position, size_t bytes) {
  std::string text(bytes, '\0');
  for (char& byte : text) byte = ByteAt(position++);
  return text;
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_LINK_STREAM_BYTES_H_
