// SPDX-License-Identifier: Apache-2.0
#include "test/coherence/checked_sites.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <tuple>

#include "absl/base/no_destructor.h"
#include "absl/base/thread_annotations.h"
#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "test/coherence/call_path.h"

namespace grpc_cxl::internal {
namespace {

std::string Get(const char* variable) {
  const char* const value = getenv(variable);
  return value == nullptr ? "" : value;
}

// A place has one address of its name, which is quicker to look up than its text.
using Place = std::tuple<const char*, uint_least32_t, PathFunctions::Path>;

struct Sites {
  absl::Mutex mu;
  std::map<Place, bool> dropped ABSL_GUARDED_BY(mu);  // of all that were reached
  std::string drop ABSL_GUARDED_BY(mu) = Get("GRPC_CXL_DROP_SITE");
  const std::string record = Get("GRPC_CXL_RECORD_SITES");
  const PathFunctions functions{Get("GRPC_CXL_SITE_FUNCTIONS")};
};

Sites& TheSites() {
  static absl::NoDestructor<Sites> sites;
  return *sites;
}

// At once, whole lines: the process may be killed, and its children append as well.
void Append(const std::string& file, const std::string& line) {
  const int fd = open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  PCHECK(fd >= 0 && write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
  close(fd);
}

}  // namespace

std::string SiteName(Site site) { return absl::StrCat(site.file_name(), ":", site.line()); }

bool ReachSite(Site site) {
  Sites& sites = TheSites();
  const PathFunctions::Path path = sites.functions.PathHere();
  absl::MutexLock lock(sites.mu);
  const auto [it, is_new] = sites.dropped.try_emplace(Place(site.file_name(), site.line(), path));
  if (is_new) {
    const std::string name = SiteName(site) + PathFunctions::NameOf(path);
    it->second = name == sites.drop;
    if (!sites.record.empty()) {
      Append(sites.record, absl::StrCat(name, it->second ? " dropped" : "", "\n"));
    }
  }
  return !it->second;
}

void DropSite(const std::string& site) {
  Sites& sites = TheSites();
  absl::MutexLock lock(sites.mu);
  sites.drop = site;
  sites.dropped.clear();
}

}  // namespace grpc_cxl::internal
