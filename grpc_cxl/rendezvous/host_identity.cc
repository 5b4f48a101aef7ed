// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/host_identity.h"

#include <openssl/evp.h>
#include <sys/stat.h>

#include <fstream>

#include "absl/log/check.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace grpc_cxl::internal {

std::string HostIdentity(const RendezvousDirectory& directory) {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  struct stat found;
  if (!(file >> boot) || fstat(directory.fd(), &found) != 0) return "";
  const std::string text =
      absl::StrCat(boot, " ", found.st_dev, "-", found.st_ino, " ", directory.rollout());
  std::string hash(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  CHECK_EQ(EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(hash.data()),
                      &size, EVP_sha256(), nullptr),
           1);
  return absl::StrCat("1-", absl::BytesToHexString(hash.substr(0, size)));
}

}  // namespace grpc_cxl::internal
