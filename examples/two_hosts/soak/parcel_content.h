// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_TWO_HOSTS_SOAK_PARCEL_CONTENT_H_
#define GRPC_CXL_EXAMPLES_TWO_HOSTS_SOAK_PARCEL_CONTENT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"

// The content of a parcel follows from its id and its direction, so each end knows every byte, and
// no two parcels have the same.
namespace soak {

enum class Direction : uint64_t { kThere = 1, kBack = 2 };

inline uint64_t Mix(uint64_t value) {  // the finalizer of SplitMix64
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

// The same in every process, which absl::Hash is not. FNV-1a.
inline uint64_t Digest(absl::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const unsigned char c : text) hash = (hash ^ c) * 0x100000001b3;
  return Mix(hash);
}

// Below 1 MiB, each order of magnitude as often as the others: in the ring, in a request buffer,
// in a block, in several.
inline std::string ParcelContent(absl::string_view id, Direction direction) {
  const uint64_t key = Mix(Digest(id) + static_cast<uint64_t>(direction));
  std::string content(Mix(key) % (uint64_t{2} << (key % 20)), '\0');
  for (size_t at = 0; at < content.size(); at += sizeof(uint64_t)) {
    const uint64_t word = Mix(key + at);
    memcpy(content.data() + at, &word, std::min(sizeof(word), content.size() - at));
  }
  return content;
}

}  // namespace soak

#endif  // GRPC_CXL_EXAMPLES_TWO_HOSTS_SOAK_PARCEL_CONTENT_H_
