#ifndef GRPC_CXL_TEST_E2E_TEST_DIRECTORY_H_
#define GRPC_CXL_TEST_E2E_TEST_DIRECTORY_H_

#include <string>
#include <vector>

namespace grpc_cxl::e2e {

// A fresh folder (mode 0700) of a test's own, removed with all it holds by the destructor.
class TestDirectory {
 public:
  // In TEST_TMPDIR, or in the temporary folder when there is none.
  TestDirectory();
  // In `parent`. For unix sockets, whose paths may not be longer than 107 bytes.
  explicit TestDirectory(const std::string& parent);
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;
  ~TestDirectory();

  const std::string& path() const { return path_; }
  // The names of what it holds, sorted.
  std::vector<std::string> List() const;

 private:
  std::string path_;
};

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_TEST_DIRECTORY_H_
