// SPDX-License-Identifier: Apache-2.0
#include <openssl/evp.h>

#include "absl/log/check.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "examples/hotel_reservation/data/data_set.h"

namespace hotel_reservation {

std::string UserName(int number) { return absl::StrCat("guest_", number); }

std::string UserPassword(int number) {
  std::string password;
  for (int i = 0; i < 10; ++i) absl::StrAppend(&password, number);
  return password;
}

std::string HashPassword(absl::string_view password) {
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  CHECK_EQ(EVP_Digest(password.data(), password.size(), hash, &length, EVP_sha256(), nullptr), 1);
  return absl::BytesToHexString({reinterpret_cast<const char*>(hash), length});
}

}  // namespace hotel_reservation
