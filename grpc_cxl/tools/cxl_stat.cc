// SPDX-License-Identifier: Apache-2.0

// Shows what grpc_cxl does on this host:
//
//   cxl_stat --once [--width=N]   tables
//   cxl_stat --json

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdint>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpc_cxl/environment.h"
#include "grpc_cxl/options.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "grpc_cxl/tools/host_status.h"
#include "grpc_cxl/tools/status_json.h"
#include "grpc_cxl/tools/status_report.h"

ABSL_FLAG(bool, once, false, "print tables, then end");
ABSL_FLAG(bool, json, false, "print all there is as JSON, then end");
ABSL_FLAG(std::string, dir, "",
          "the rendezvous directory; by default that of this program's environment, as for every "
          "channel and server (docs/configuration.md)");
ABSL_FLAG(int, width, -1,
          "of the tables, in characters; 0: any; by default that of the terminal, or any");

namespace {

using grpc_cxl::internal::HostStatus;
using grpc_cxl::internal::RendezvousDirectory;

constexpr char kUsage[] =
    "cxl_stat --once [--width=N]\n"
    "cxl_stat --json";

absl::StatusOr<RendezvousDirectory> OpenDirectory() {
  grpc_cxl::ChannelOptions options;
  options.rendezvous_directory = absl::GetFlag(FLAGS_dir);
  const auto settings = grpc_cxl::internal::ResolveOptions(options);
  if (!settings.ok()) return settings.status();
  return RendezvousDirectory::Find(settings->directory);
}

size_t Width() {
  const int wanted = absl::GetFlag(FLAGS_width);
  if (wanted >= 0) return static_cast<size_t>(wanted);
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

absl::Status Run(const std::vector<std::string>& words) {
  if (!words.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("no such command: ", words[0], "\n", kUsage));
  }
  const absl::StatusOr<RendezvousDirectory> directory = OpenDirectory();
  if (!directory.ok()) return directory.status();
  const HostStatus host = grpc_cxl::internal::ReadHostStatus(*directory);
  if (absl::GetFlag(FLAGS_json)) {
    std::cout << grpc_cxl::internal::StatusJson(host);
  } else {
    std::cout << grpc_cxl::internal::StatusReport(
        host, Width(), static_cast<uint64_t>(absl::GetCurrentTimeNanos()));
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(kUsage);
  const std::vector<char*> words = absl::ParseCommandLine(argc, argv);
  const absl::Status status = Run({words.begin() + 1, words.end()});
  if (status.ok()) return 0;
  std::cerr << "cxl_stat: " << status.message() << std::endl;
  return 1;
}
