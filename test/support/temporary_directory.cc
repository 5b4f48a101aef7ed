// SPDX-License-Identifier: Apache-2.0
#include "test/support/temporary_directory.h"

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/log/check.h"

namespace grpc_cxl::internal {
namespace {

std::string DefaultParent() {
  const char* from_bazel = getenv("TEST_TMPDIR");
  return from_bazel != nullptr ? from_bazel : "/tmp";
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() : TemporaryDirectory(DefaultParent()) {}

TemporaryDirectory::TemporaryDirectory(const std::string& parent) : path_(parent + "/test.XXXXXX") {
  PCHECK(mkdtemp(path_.data()) != nullptr) << path_;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;  // a test may have made it unreadable, or removed it
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::string> TemporaryDirectory::List() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace grpc_cxl::internal
