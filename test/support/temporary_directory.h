// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_SUPPORT_TEMPORARY_DIRECTORY_H_
#define GRPC_CXL_TEST_SUPPORT_TEMPORARY_DIRECTORY_H_

#include <string>
#include <vector>

namespace grpc_cxl::internal {

// A fresh directory (mode 0700) of a test's own, removed with its contents by the destructor.
class TemporaryDirectory {
 public:
  // In Bazel's TEST_TMPDIR, which has a long path that other users cannot enter; in /tmp
  // when there is none.
  TemporaryDirectory();
  // In `parent`. "/tmp" suits tests with several users, and unix sockets, whose paths may
  // have 107 bytes.
  explicit TemporaryDirectory(const std::string& parent);
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();

  const std::string& path() const { return path_; }

  // The names of its contents, sorted.
  std::vector<std::string> List() const;

 private:
  std::string path_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_SUPPORT_TEMPORARY_DIRECTORY_H_
