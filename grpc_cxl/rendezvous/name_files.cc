// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/name_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kMostOthers = 5;

std::string With(std::string name, absl::string_view rollout) {
  if (!rollout.empty()) absl::StrAppend(&name, "~", rollout);
  return name;
}

}  // namespace

void ForEachFile(const RendezvousDirectory& directory,
                 absl::FunctionRef<bool(absl::string_view)> each) {
  const int fd = openat(directory.fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> list(fd < 0 ? nullptr : fdopendir(fd), closedir);
  if (list == nullptr) {
    if (fd >= 0) close(fd);
    return;
  }
  const dirent* entry;
  while ((entry = readdir(list.get())) != nullptr && each(entry->d_name)) {
  }
}

bool IsRollout(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxRolloutLength &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' ||
                  c == '-';
         });
}

std::string FileStem(const RendezvousDirectory& directory, const ServiceName& name) {
  return With(name.FileStem(), directory.rollout());
}

std::string NameInRollout(const ServiceName& name, absl::string_view rollout) {
  return With(name.str(), rollout);
}

absl::Status CheckLength(const ServiceName& name, absl::string_view rollout) {
  if (NameInRollout(name, rollout).size() <= ServiceName::kMaxLength) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "the name \"", name.str(), "\" with the rollout \"", rollout, "\" has more than ",
      ServiceName::kMaxLength - 1, " characters; shorten one of them"));
}

std::vector<std::string> OtherRollouts(const RendezvousDirectory& directory,
                                       const ServiceName& name) {
  std::vector<std::string> others;
  ForEachFile(directory, [&](absl::string_view rest) {
    if (!absl::ConsumeSuffix(&rest, ".sock") || !absl::ConsumePrefix(&rest, name.FileStem())) {
      return true;
    }
    const bool is_rollout = absl::ConsumePrefix(&rest, "~") && IsRollout(rest);
    if ((!rest.empty() && !is_rollout) || rest == directory.rollout()) return true;
    others.emplace_back(rest);
    return others.size() < kMostOthers;
  });
  return others;
}

}  // namespace grpc_cxl::internal
