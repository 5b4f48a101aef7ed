// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/launcher/load_run.h"

#include <google/protobuf/util/json_util.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"

namespace hotel_reservation {

absl::StatusOr<LoadResult> RunLoad(Cluster& cluster, const LoadOptions& options) {
  const std::string file = cluster.directory() + "/load.json";
  std::vector<std::string> flags = cluster.AddressFlags();
  flags.push_back(absl::StrCat("--rate=", options.per_second));
  flags.push_back(absl::StrCat("--warmup=", options.warmup_s));
  flags.push_back(absl::StrCat("--seconds=", options.seconds));
  flags.push_back(absl::StrCat("--deadline=", options.deadline_s, "s"));
  if (options.p99_limit_ms > 0) {
    flags.push_back(absl::StrCat("--p99_limit=", options.p99_limit_ms, "ms"));
  }
  flags.push_back(absl::StrCat("--scan=", options.scan));
  flags.push_back(absl::StrCat("--priorities=", options.priorities));
  flags.push_back(absl::StrCat("--json=", file));
  const absl::StatusOr<std::unique_ptr<Process>> load = cluster.StartProgram("load", flags);
  if (!load.ok()) return load.status();

  // When the services do not keep up, the warm-up and the run each end one deadline later.
  const absl::Duration timeout =
      absl::Seconds(options.warmup_s + options.seconds + 2 * options.deadline_s + 30);
  absl::StatusOr<bool> ended = false;
  if (!options.kill.empty()) {
    ended = cluster.Watch(load->get(), absl::Seconds(options.warmup_s + options.kill_after_s));
    if (!ended.ok()) return ended.status();
    if (absl::Status again = cluster.KillAndRestart(options.kill); !again.ok()) return again;
  }
  if (!*ended) ended = cluster.Watch(load->get(), timeout);
  if (!ended.ok()) return ended.status();
  if (!*ended) {
    return absl::DeadlineExceededError(
        absl::StrCat("The load generator hangs. It printed:\n", (*load)->Output()));
  }
  if (absl::Status how = (*load)->HowItEnded(); !how.ok()) return how;

  std::ostringstream json;
  json << std::ifstream(file).rdbuf();
  LoadResult result;
  if (absl::Status read = google::protobuf::util::JsonStringToMessage(json.str(), &result);
      !read.ok()) {
    return read;
  }
  return result;
}

}  // namespace hotel_reservation
