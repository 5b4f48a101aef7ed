#include "test/rendezvous/temporary_directory.h"

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/log/check.h"

namespace grpc_cxl::internal {
namespace {

std::string DefaultParent() {
  const char* from_bazel = getenv("TEST_TMPDIR");
  return from_bazel != nullptr ? from_bazel : "/tmp";
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() : TemporaryDirectory(DefaultParent()) {}

TemporaryDirectory::TemporaryDirectory(const std::string& parent)
    : path_(parent + "/rendezvous.XXXXXX") {
  PCHECK(mkdtemp(path_.data()) != nullptr) << path_;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
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
