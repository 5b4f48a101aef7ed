// SPDX-License-Identifier: Apache-2.0

// Makes a region of a file or device, and shows a region's content:
//
//   cxl_region format PATH [--hosts=16] [--bytes=N] [--granule=N] [--lease=1s]
//   cxl_region show PATH
//   cxl_region clear PATH --host=N

#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "grpc_cxl/environment.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_node.h"
#include "grpc_cxl/tools/region_report.h"
#include "grpc_cxl/tools/version.h"

ABSL_FLAG(uint32_t, hosts, 16, "format: how many hosts share the region, 1 to 256");
ABSL_FLAG(uint32_t, host, UINT32_MAX, "clear: the host's number");
ABSL_FLAG(uint64_t, bytes, 0, "the region's size; 0: all that the file or device has");
ABSL_FLAG(uint64_t, granule, 0, "format: memory is given out in multiples of this; 0: the least");
ABSL_FLAG(absl::Duration, lease, absl::Seconds(1),
          "format: a process that is silent for so long is dead, 100ms to 10m");

namespace {

constexpr char kUsage[] =
    "cxl_region format PATH [--hosts=16] [--bytes=N] [--granule=N] [--lease=1s]\n"
    "cxl_region show PATH\n"
    "cxl_region clear PATH --host=N   (gives back what host N has: its machine must be off, or its "
    "processes dead)";

// As a process of that host that comes and goes: it clears up when it joins, and its thread frees
// at once what servers of the host that have ended did not wait for.
absl::Status Clear(const std::string& path) {
  const absl::StatusOr<grpc_cxl::Coherence> coherence =
      grpc_cxl::internal::Environment::Read().Apply(grpc_cxl::Coherence::kFlush);
  if (!coherence.ok()) return coherence.status();
  grpc_cxl::internal::RegionOptions options;
  options.path = path;
  options.host = absl::GetFlag(FLAGS_host);
  options.bytes = absl::GetFlag(FLAGS_bytes);
  options.model.coherence = *coherence;
  if (options.host == grpc_cxl::internal::Region::kObserver) {
    return absl::InvalidArgumentError("give the host's number with --host");
  }
  return grpc_cxl::internal::RegionNode::Join(options).status();
}

absl::Status Run(const std::string& command, const std::string& path) {
  if (command == "format") {
    const absl::StatusOr<grpc_cxl::Coherence> coherence =
        grpc_cxl::internal::Environment::Read().Apply(grpc_cxl::Coherence::kFlush);
    if (!coherence.ok()) return coherence.status();
    return grpc_cxl::internal::FormatRegion(path, {.hosts = absl::GetFlag(FLAGS_hosts),
                                                   .bytes = absl::GetFlag(FLAGS_bytes),
                                                   .granule = absl::GetFlag(FLAGS_granule),
                                                   .lease = absl::GetFlag(FLAGS_lease),
                                                   .coherence = *coherence});
  }
  if (command == "clear") return Clear(path);
  if (command != "show") {
    return absl::InvalidArgumentError(absl::StrCat("no such command: ", command, "\n", kUsage));
  }
  grpc_cxl::internal::RegionOptions options;
  options.path = path;
  options.host = grpc_cxl::internal::Region::kObserver;
  options.bytes = absl::GetFlag(FLAGS_bytes);
  const auto region = grpc_cxl::internal::Region::Open(options);
  if (!region.ok()) return region.status();
  std::cout << grpc_cxl::internal::RegionReport(*region);
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(kUsage);
  grpc_cxl::internal::AnswerVersion();
  const std::vector<char*> words = absl::ParseCommandLine(argc, argv);
  if (words.size() != 3) {
    std::cerr << kUsage << std::endl;
    return 2;
  }
  const absl::Status status = Run(words[1], words[2]);
  if (status.ok()) return 0;
  std::cerr << "cxl_region: " << status.message() << std::endl;
  return 1;
}
