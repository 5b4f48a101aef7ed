// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/shared_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <string>
#include <utility>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "grpc_cxl/base/errno_status.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/rendezvous/user_namespace.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kLeastBytes = 16;
constexpr size_t kMostBytes = 4096;

absl::Status CheckFile(const struct stat& file, const std::string& described) {
  if (!S_ISREG(file.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(described, " is not a regular file"));
  }
  if (file.st_uid != 0 && file.st_uid != geteuid() && !MayBeUnmapped(file.st_uid)) {
    return absl::PermissionDeniedError(absl::StrCat(described, " belongs to uid ", file.st_uid,
                                                    ", who could put another secret there; give ",
                                                    "it to uid ", geteuid(), " or root"));
  }
  if ((file.st_mode & (S_IWGRP | S_IRWXO)) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat(described, " can be read by everybody or written by its group; chmod it to ",
                     "600, or to 640 for a group that shares it"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadAll(int fd, const std::string& described) {
  std::string bytes(kMostBytes + 1, '\0');
  size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = read(fd, bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, absl::StrCat("cannot read ", described));
    if (got == 0) break;
    filled += got;
  }
  bytes.resize(filled);
  return bytes;
}

}  // namespace

Nonce FreshNonce() {
  Nonce nonce;
  CHECK_EQ(RAND_bytes(nonce.data(), nonce.size()), 1) << "libcrypto gives no random numbers";
  return nonce;
}

absl::StatusOr<SharedSecret> SharedSecret::Read(const std::string& path) {
  const std::string described = absl::StrCat("the secret file ", path);
  // Does not wait for the writer of a FIFO.
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat file;
  if (!fd || fstat(fd.get(), &file) != 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot open ", described,
                                           " (secret_file of the options, or "
                                           "GRPC_CXL_SECRET_FILE)"));
  }
  if (absl::Status status = CheckFile(file, described); !status.ok()) return status;
  absl::StatusOr<std::string> bytes = ReadAll(fd.get(), described);
  if (!bytes.ok()) return bytes.status();
  absl::string_view secret = *bytes;
  absl::ConsumeSuffix(&secret, "\n");
  if (secret.size() < kLeastBytes || bytes->size() > kMostBytes) {
    return absl::FailedPreconditionError(absl::StrCat(
        described, " must have ", kLeastBytes, " to ", kMostBytes, " bytes, which nobody can ",
        "guess; make one with: head -c 32 /dev/urandom | base64"));
  }
  return SharedSecret(std::string(secret));
}

Proof SharedSecret::Prove(Role role, const ProofContext& context) const {
  // Only the last part has no fixed length.
  std::string text(role == Role::kServer ? "cxl-srv1" : "cxl-cli1");
  const auto add = [&text](const auto& value) {
    text.append(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  add(context.server_nonce);
  add(context.client_nonce);
  add(context.server_process);
  add(context.client_process);
  text += context.name;
  Proof proof;
  unsigned size = 0;
  CHECK(HMAC(EVP_sha256(), bytes_.data(), static_cast<int>(bytes_.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(), proof.data(),
             &size) != nullptr &&
        size == proof.size())
      << "libcrypto has no HMAC-SHA256";
  return proof;
}

bool SharedSecret::Verify(Role role, const ProofContext& context, const Proof& proof) const {
  const Proof expected = Prove(role, context);
  return CRYPTO_memcmp(expected.data(), proof.data(), expected.size()) == 0;
}

}  // namespace grpc_cxl::internal
