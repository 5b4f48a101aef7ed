#ifndef GRPC_CXL_TEST_RENDEZVOUS_TEMPORARY_DIRECTORY_H_
#define GRPC_CXL_TEST_RENDEZVOUS_TEMPORARY_DIRECTORY_H_

#include <string>
#include <vector>

namespace grpc_cxl::internal {

// A fresh directory (mode 0700) of a test's own, removed with all it holds.
class TemporaryDirectory {
 public:
  // In Bazel's TEST_TMPDIR, which has a long path that other users cannot enter.
  TemporaryDirectory();
  // In `parent`: "/tmp" for tests with several users.
  explicit TemporaryDirectory(const std::string& parent);
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();

  const std::string& path() const { return path_; }

  // The names of what it holds, sorted.
  std::vector<std::string> List() const;

 private:
  std::string path_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_RENDEZVOUS_TEMPORARY_DIRECTORY_H_
