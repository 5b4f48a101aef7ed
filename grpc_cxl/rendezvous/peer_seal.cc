// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/peer_seal.h"

#include <errno.h>
#include <sys/random.h>

#include <bit>
#include <cstddef>
#include <cstring>

#include "absl/log/check.h"

namespace grpc_cxl::internal {
namespace {

struct Key {
  uint64_t low, high;
};

Key RandomKey() {
  Key key;
  ssize_t size;
  do {
    size = getrandom(&key, sizeof(key), 0);
  } while (size < 0 && errno == EINTR);
  PCHECK(size == sizeof(key)) << "the kernel gives no random numbers";
  return key;
}

class SipHash {
 public:
  explicit SipHash(const Key& key)
      : v_{key.low ^ 0x736f6d6570736575, key.high ^ 0x646f72616e646f6d,
           key.low ^ 0x6c7967656e657261, key.high ^ 0x7465646279746573} {}

  void Add(uint64_t word) {
    v_[3] ^= word;
    Rounds(2);
    v_[0] ^= word;
  }
  uint64_t Finish() {
    v_[2] ^= 0xff;
    Rounds(4);
    return v_[0] ^ v_[1] ^ v_[2] ^ v_[3];
  }

 private:
  void Rounds(int count) {
    for (int i = 0; i < count; ++i) {
      v_[0] += v_[1];
      v_[2] += v_[3];
      v_[1] = std::rotl(v_[1], 13) ^ v_[0];
      v_[3] = std::rotl(v_[3], 16) ^ v_[2];
      v_[0] = std::rotl(v_[0], 32);
      v_[2] += v_[1];
      v_[0] += v_[3];
      v_[1] = std::rotl(v_[1], 17) ^ v_[2];
      v_[3] = std::rotl(v_[3], 21) ^ v_[0];
      v_[2] = std::rotl(v_[2], 32);
    }
  }

  uint64_t v_[4];
};

}  // namespace

uint64_t Seal(absl::string_view text) {
  static const Key key = RandomKey();
  SipHash hash(key);
  const uint64_t length = uint64_t{text.size()} << 56;
  for (; text.size() >= sizeof(uint64_t); text.remove_prefix(sizeof(uint64_t))) {
    uint64_t word;
    std::memcpy(&word, text.data(), sizeof(word));
    hash.Add(word);
  }
  uint64_t last = 0;
  std::memcpy(&last, text.data(), text.size());
  hash.Add(last | length);
  return hash.Finish();
}

}  // namespace grpc_cxl::internal
