#include "test/e2e/test_directory.h"

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/log/check.h"

namespace grpc_cxl::e2e {
namespace {

std::string DefaultParent() {
  const char* from_bazel = getenv("TEST_TMPDIR");
  return from_bazel != nullptr ? from_bazel : std::filesystem::temp_directory_path().string();
}

}  // namespace

TestDirectory::TestDirectory() : TestDirectory(DefaultParent()) {}

TestDirectory::TestDirectory(const std::string& parent) : path_(parent + "/e2e.XXXXXX") {
  PCHECK(mkdtemp(path_.data()) != nullptr) << path_;
}

TestDirectory::~TestDirectory() {
  std::error_code ignored;  // a test may have made it unreadable
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::string> TestDirectory::List() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace grpc_cxl::e2e
