// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/line_key.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "absl/log/check.h"

namespace grpc_cxl::internal {

LineKey LineKey::Fresh() {
  LineKey key;
  CHECK_EQ(RAND_bytes(key.bytes.data(), key.bytes.size()), 1)
      << "libcrypto gives no random numbers";
  return key;
}

LineClaim ClaimOf(const LineKey& key) {
  LineClaim claim;
  unsigned size = 0;
  CHECK(EVP_Digest(key.bytes.data(), key.bytes.size(), claim.data(), &size, EVP_sha256(),
                   nullptr) == 1 &&
        size == claim.size())
      << "libcrypto has no SHA-256";
  return claim;
}

bool AreEqual(const LineKey& key, const LineKey& other) {
  return CRYPTO_memcmp(key.bytes.data(), other.bytes.data(), key.bytes.size()) == 0;
}

}  // namespace grpc_cxl::internal
