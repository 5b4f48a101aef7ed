// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_FUZZ_FUZZ_INPUT_H_
#define GRPC_CXL_TEST_FUZZ_FUZZ_INPUT_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace grpc_cxl::internal {

// Turns a fuzzer's bytes into decisions, one after the other. When the bytes run out every
// decision is zero; loop while there are some.
class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size) : left_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return left_.empty(); }

  // The next sizeof(T) bytes.
  template <typename T>
  T Take() {
    T value{};
    const std::string_view bytes = TakeBytes(sizeof(T));
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), bytes.size());
    return value;
  }

  // A number from 0 to `most`.
  uint64_t TakeUpTo(uint64_t most) {
    const uint64_t number = most < 256 ? Take<uint8_t>() : Take<uint64_t>();
    return most == UINT64_MAX ? number : number % (most + 1);
  }

  // A word as a hostile peer chooses it: anything, or close to `near`, where the edges are.
  uint64_t TakeWord(uint64_t near) {
    const uint8_t kind = Take<uint8_t>();
    if (kind < 16) return Take<uint64_t>();
    return near + static_cast<int8_t>(kind);
  }

  // Up to `most` bytes.
  std::string_view TakeBytes(size_t most) {
    const std::string_view bytes = left_.substr(0, most);
    left_.remove_prefix(bytes.size());
    return bytes;
  }

 private:
  std::string_view left_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_FUZZ_FUZZ_INPUT_H_
