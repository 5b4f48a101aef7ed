// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BASE_UNIQUE_FD_H_
#define GRPC_CXL_BASE_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace grpc_cxl::internal {

// Owns one file descriptor and closes it. Move-only; -1 means empty.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      Reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~UniqueFd() { Reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  void Reset() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_BASE_UNIQUE_FD_H_
