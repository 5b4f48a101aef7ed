// SPDX-License-Identifier: Apache-2.0

// Shows what grpc_cxl does on this host:
//
//   cxl_stat
//   cxl_stat --once [--width=N]
//   cxl_stat --json
//   cxl_stat --listen=127.0.0.1:9464
//   cxl_stat why TARGET
//   cxl_stat doctor

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
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
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/options.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "grpc_cxl/tools/doctor.h"
#include "grpc_cxl/tools/exporter.h"
#include "grpc_cxl/tools/host_status.h"
#include "grpc_cxl/tools/stat_ui.h"
#include "grpc_cxl/tools/status_json.h"
#include "grpc_cxl/tools/status_report.h"
#include "grpc_cxl/tools/version.h"
#include "grpc_cxl/tools/why.h"

ABSL_FLAG(bool, once, false, "print tables, then end");
ABSL_FLAG(bool, json, false, "print all there is as JSON, then end");
ABSL_FLAG(std::string, listen, "",
          "the address, such as 127.0.0.1:9464, at which to answer Prometheus");
ABSL_FLAG(std::string, dir, "",
          "the rendezvous directory; by default that of this program's environment, as for every "
          "channel and server (docs/configuration.md)");
ABSL_FLAG(int, width, -1,
          "of the tables, in characters; 0: any; by default that of the terminal, or any");

namespace {

using grpc_cxl::internal::ChannelSettings;
using grpc_cxl::internal::DirectoryCandidates;
using grpc_cxl::internal::Finding;
using grpc_cxl::internal::HostStatus;

constexpr char kUsage[] =
    "cxl_stat                      what goes on, each second, in a terminal; q ends it\n"
    "cxl_stat --once [--width=N]   processes and connections, as tables\n"
    "cxl_stat --json               all there is to know about them\n"
    "cxl_stat --listen=127.0.0.1:9464\n"
    "                              answers Prometheus, at /metrics\n"
    "cxl_stat why TARGET           whether a channel of this user reaches cxl:///payments, \n"
    "                              payments:50051, ... through memory, and why it does not\n"
    "cxl_stat doctor               what this machine and this user lack, and what to do";

absl::StatusOr<ChannelSettings> Settings() {
  grpc_cxl::ChannelOptions options;
  options.rendezvous_directory = absl::GetFlag(FLAGS_dir);
  options.status_page = false;
  return grpc_cxl::internal::ResolveOptions(options);
}

// Where the pages are. Nothing in them is believed, so a directory that is named may be anybody's.
DirectoryCandidates PagesOf(const ChannelSettings& settings) {
  const std::string named = absl::GetFlag(FLAGS_dir);
  return named.empty() ? settings.directory : DirectoryCandidates{.trusted = named};
}

size_t Width() {
  const int wanted = absl::GetFlag(FLAGS_width);
  if (wanted >= 0) return static_cast<size_t>(wanted);
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

absl::Status Run(const std::vector<std::string>& words) {
  const absl::StatusOr<ChannelSettings> settings = Settings();
  if (!settings.ok()) return settings.status();
  if (words.size() == 2 && words[0] == "why") {
    const absl::StatusOr<std::string> why = grpc_cxl::internal::Why(words[1], *settings);
    if (!why.ok()) return why.status();
    std::cout << *why << std::endl;
    return absl::OkStatus();
  }
  if (words.size() == 1 && words[0] == "doctor") {
    const std::vector<Finding> findings = grpc_cxl::internal::Examine(*settings);
    std::cout << grpc_cxl::internal::FindingsText(findings) << std::flush;
    if (std::none_of(findings.begin(), findings.end(),
                     [](const Finding& one) { return one.kind == Finding::Kind::kBroken; })) {
      return absl::OkStatus();
    }
    return absl::FailedPreconditionError("mend first what is BROKEN above");
  }
  if (!words.empty()) return absl::InvalidArgumentError(absl::StrCat("usage:\n", kUsage));
  if (const std::string address = absl::GetFlag(FLAGS_listen); !address.empty()) {
    return grpc_cxl::internal::ServeMetrics(address, PagesOf(*settings));
  }
  const auto directory = grpc_cxl::internal::RendezvousDirectory::Find(PagesOf(*settings));
  if (!directory.ok()) return directory.status();
  if (!absl::GetFlag(FLAGS_once) && !absl::GetFlag(FLAGS_json) && isatty(STDOUT_FILENO) != 0) {
    grpc_cxl::internal::ShowInTerminal(PagesOf(*settings));
    return absl::OkStatus();
  }
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
  grpc_cxl::internal::AnswerVersion();
  const std::vector<char*> words = absl::ParseCommandLine(argc, argv);
  const absl::Status status = Run({words.begin() + 1, words.end()});
  if (status.ok()) return 0;
  std::cerr << "cxl_stat: " << status.message() << std::endl;
  return 1;
}
