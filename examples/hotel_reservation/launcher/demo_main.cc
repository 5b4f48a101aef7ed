// SPDX-License-Identifier: Apache-2.0

// Runs the eight hotel reservation services on each transport in turn, puts load on them,
// and compares. See README.md.

#include <google/protobuf/util/json_util.h>
#include <grpcpp/version_info.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/log/check.h"
#include "absl/log/initialize.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "bench/harness/interrupt.h"
#include "bench/harness/temporary_directory.h"
#include "examples/hotel_reservation/launcher/cluster.h"
#include "examples/hotel_reservation/launcher/experiment.h"
#include "examples/hotel_reservation/launcher/figures.h"
#include "examples/hotel_reservation/launcher/html_report.h"
#include "examples/hotel_reservation/launcher/job_experiment.h"
#include "examples/hotel_reservation/launcher/load_search.h"
#include "examples/hotel_reservation/launcher/summary.h"

ABSL_FLAG(std::vector<std::string>, transports,
          std::vector<std::string>({"tcp", "unix", "cxl", "cxl/1"}),
          "transports to compare: tcp, unix, cxl, auto; with /1 behind it in one process");
ABSL_FLAG(
    int, processes, 8,
    "how many processes the eight services are in: 8, or 1, as with /1 behind each transport");
ABSL_FLAG(double, step_seconds, 1,
          "length of a step; steps of less than a second give poor figures");
ABSL_FLAG(double, seconds, 95,
          "passes that disagree are repeated as long as the demo ends within about this time");
ABSL_FLAG(std::string, html, "hotel_reservation.html", "file to write the report to");
ABSL_FLAG(std::string, json, "", "file to write the report to, as JSON");
ABSL_FLAG(std::string, db, "",
          "SQLite file with the data, which the demo keeps; empty: temporary files");
ABSL_FLAG(std::string, serve, "",
          "do not measure, but run the services on this transport until Ctrl-C");
ABSL_FLAG(std::string, http, "127.0.0.1:8080", "HOST:PORT of the page, with --serve");
ABSL_FLAG(uint32_t, capacity, 0,
          "calls that each service serves at a time, on cxl and auto; others wait; 0: any number");
ABSL_FLAG(int, scan, 0,
          "do not compare transports, but measure on each what a job in the background costs the "
          "other requests, and priorities the job: a job with so many searches at a time");
ABSL_FLAG(double, rate, 600, "with --scan: other requests per second");
ABSL_FLAG(int, rounds, 5, "with --scan: how often each run is made");
ABSL_FLAG(double, run_seconds, 10, "with --scan: length of a run");

namespace hotel_reservation {
namespace {

using grpc_cxl::bench::TemporaryDirectory;

// The folder of the other programs, which is that of this one.
std::string Programs() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return self.parent_path();
}

// The path of a flag that names a file: relative to where the user called `bazel run`, which
// changes the directory.
std::filesystem::path Where(const std::string& file) {
  const char* directory = getenv("BUILD_WORKING_DIRECTORY");
  return std::filesystem::path(directory == nullptr ? std::filesystem::current_path().string()
                                                    : directory) /
         file;
}

// Of "cxl/1".
std::string NameOf(absl::string_view transport) {
  absl::ConsumeSuffix(&transport, "/1");
  return std::string(transport);
}
bool IsTogether(absl::string_view transport) { return absl::EndsWith(transport, "/1"); }

// The transport, in as many processes as --processes says.
std::string Placed(const std::string& transport) {
  return absl::GetFlag(FLAGS_processes) == 1 ? NameOf(transport) + "/1" : transport;
}
// --transports, each once.
std::vector<std::string> Transports() {
  std::vector<std::string> transports;
  for (const std::string& transport : absl::GetFlag(FLAGS_transports)) {
    const std::string placed = Placed(transport);
    if (std::find(transports.begin(), transports.end(), placed) == transports.end()) {
      transports.push_back(placed);
    }
  }
  return transports;
}

// `beside`: one of the same transport has been started.
absl::StatusOr<std::unique_ptr<Cluster>> StartCluster(const std::string& transport, bool serve,
                                                      const TemporaryDirectory& directory,
                                                      uint32_t capacity, bool beside = false) {
  const bool together = IsTogether(transport);
  const std::string own = absl::StrCat(directory.path(), "/", NameOf(transport),
                                       together ? "-1" : "", beside ? "-beside" : "");
  std::filesystem::create_directory(own);
  const std::string db = absl::GetFlag(FLAGS_db);
  return Cluster::Start({.transport = NameOf(transport),
                         .together = together,
                         .programs = Programs(),
                         .directory = own,
                         .database = db.empty() ? "" : Where(db).string(),
                         .http = serve ? absl::GetFlag(FLAGS_http) : "",
                         .capacity = capacity,
                         .default_addresses = serve,
                         .beside = beside});
}

absl::Status CannotWrite(const std::string& file) {
  return absl::InvalidArgumentError(
      absl::StrCat(Where(file).string(), " cannot be written: name another file."));
}

absl::Status Write(const std::string& text, const std::string& file) {
  std::ofstream out(Where(file));
  out << text;
  out.close();
  return out ? absl::OkStatus() : CannotWrite(file);
}

// Fails before the measurement rather than after it. Leaves nothing behind.
absl::Status CheckWritable(const std::string& file) {
  const bool existed = std::filesystem::exists(Where(file));
  const bool writable = static_cast<bool>(std::ofstream(Where(file), std::ios::app));
  if (writable && !existed) std::filesystem::remove(Where(file));
  return writable ? absl::OkStatus() : CannotWrite(file);
}

Report NewReport() {
  utsname kernel;
  uname(&kernel);
  Report report;
  report.set_grpc_version(GRPC_CPP_VERSION_STRING);
  report.set_cores(static_cast<int>(std::thread::hardware_concurrency()));
  report.set_kernel(absl::StrCat(kernel.sysname, " ", kernel.release));
#ifdef NDEBUG
  report.set_optimized_build(true);
#endif
  report.set_p99_limit_ms(kP99LimitMs);
  return report;
}

std::string ToJson(const Report& report) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  options.always_print_fields_with_no_presence = true;
  std::string json;
  CHECK_OK(google::protobuf::util::MessageToJsonString(report, &json, options));
  return json;
}

absl::Status Compare(const TemporaryDirectory& directory) {
  const std::vector<std::string> transports = Transports();
  const std::string html = absl::GetFlag(FLAGS_html), json = absl::GetFlag(FLAGS_json);
  // The directory for the names on cxl; set before gRPC has threads.
  setenv("GRPC_CXL_DIR", directory.path().c_str(), /*overwrite=*/1);
  Report report = NewReport();
  for (const std::string& file : {html, json}) {
    if (file.empty()) continue;
    if (absl::Status writable = CheckWritable(file); !writable.ok()) return writable;
  }
  {
    const Effort effort{.step_s = absl::GetFlag(FLAGS_step_seconds),
                        .limit_s = absl::GetFlag(FLAGS_seconds)};
    Progress progress(absl::Seconds(effort.limit_s));
    std::vector<std::unique_ptr<Cluster>> clusters;
    for (const std::string& transport : transports) {
      progress.Show(transport, "eight services start");
      absl::StatusOr<std::unique_ptr<Cluster>> cluster =
          StartCluster(transport, /*serve=*/false, directory, absl::GetFlag(FLAGS_capacity));
      if (!cluster.ok()) return cluster.status();
      clusters.push_back(*std::move(cluster));
    }
    absl::Status measured = MeasureInTurns(clusters, effort, progress, report);
    if (!measured.ok()) return measured;
  }
  AddFigures(report);
  std::cout << SummaryText(report);
  if (!html.empty()) {
    if (absl::Status written = Write(HtmlReport(report), html); !written.ok()) return written;
    std::cout << "Report: " << Where(html).string() << std::endl;
  }
  return json.empty() ? absl::OkStatus() : Write(ToJson(report), json);
}

// --scan.
absl::Status CompareWithJob(const TemporaryDirectory& directory) {
  const JobOptions options{.searches = absl::GetFlag(FLAGS_scan),
                           .per_second = absl::GetFlag(FLAGS_rate),
                           .run_s = absl::GetFlag(FLAGS_run_seconds),
                           .rounds = absl::GetFlag(FLAGS_rounds)};
  if (options.searches < 1 || options.searches > 10'000 || options.rounds < 1 ||
      !(options.per_second > 0) || !(options.run_s > 0)) {
    return absl::InvalidArgumentError(
        "--scan must be from 1 to 10000, --rounds at least 1, --rate and --run_seconds above 0.");
  }
  setenv("GRPC_CXL_DIR", directory.path().c_str(), /*overwrite=*/1);
  for (const std::string& transport : Transports()) {
    const uint32_t capacity = absl::GetFlag(FLAGS_capacity);
    const auto limited = StartCluster(transport, /*serve=*/false, directory, capacity);
    if (!limited.ok()) return limited.status();
    const auto unlimited =
        StartCluster(transport, /*serve=*/false, directory, /*capacity=*/0, /*beside=*/true);
    if (!unlimited.ok()) return unlimited.status();
    absl::StatusOr<std::vector<JobRound>> rounds;
    {
      Progress progress(4.4 * options.rounds * absl::Seconds(options.run_s + 1));
      rounds = MeasureJob(**limited, **unlimited, options, progress);
    }
    if (!rounds.ok()) return rounds.status();
    const std::string title = absl::StrFormat(
        "%s, capacity %d: %.0f requests/s, a job with %d searches at a time; medians of %d runs of "
        "%.0f s",
        transport, capacity, options.per_second, options.searches, options.rounds, options.run_s);
    std::cout << MachineLine(NewReport()) << "\n" << JobTable(title, *rounds) << std::endl;
  }
  return absl::OkStatus();
}

absl::Status Serve(const std::string& transport, const TemporaryDirectory& directory) {
  const absl::StatusOr<std::unique_ptr<Cluster>> cluster =
      StartCluster(transport, /*serve=*/true, directory, absl::GetFlag(FLAGS_capacity));
  if (!cluster.ok()) return cluster.status();
  std::cout << (*cluster)->service("frontend").Output() << "Eight services run on " << transport
            << "; Ctrl-C ends them.\n"
            << "Load: ./bazelw run -c opt //examples/hotel_reservation:load -- --transport="
            << NameOf(transport) << std::endl;
  const absl::StatusOr<bool> watched = (*cluster)->Watch(nullptr, absl::InfiniteDuration());
  return absl::IsCancelled(watched.status()) ? absl::OkStatus() : watched.status();
}

absl::Status Main() {
  std::vector<std::string> wanted = absl::GetFlag(FLAGS_transports);
  const std::string serve = absl::GetFlag(FLAGS_serve);
  if (!serve.empty()) wanted = {serve};
  for (const std::string& transport : wanted) {
    if (std::find(std::begin(kTransports), std::end(kTransports), NameOf(transport)) ==
        std::end(kTransports)) {
      return absl::InvalidArgumentError(absl::StrCat("There is no transport '", transport,
                                                     "'; there are ",
                                                     absl::StrJoin(kTransports, ", "), "."));
    }
  }
  if (const int processes = absl::GetFlag(FLAGS_processes); processes != 1 && processes != 8) {
    return absl::InvalidArgumentError("--processes must be 8 or 1.");
  }
  const double step = absl::GetFlag(FLAGS_step_seconds);
  if (!(step >= 0.05 && step <= 3600)) {
    return absl::InvalidArgumentError("--step_seconds must be from 0.05 to 3600.");
  }
  const absl::StatusOr<TemporaryDirectory> directory = TemporaryDirectory::Create();
  if (!directory.ok()) return directory.status();
  if (!serve.empty()) return Serve(Placed(serve), *directory);
  return absl::GetFlag(FLAGS_scan) == 0 ? Compare(*directory) : CompareWithJob(*directory);
}

}  // namespace
}  // namespace hotel_reservation

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("runs the hotel reservation services on each transport");
  absl::ParseCommandLine(argc, argv);
  absl::InitializeLog();
  grpc_cxl::bench::CatchInterrupts();
  const absl::Status status = hotel_reservation::Main();
  if (status.ok()) return 0;
  std::cerr << "demo: " << status.message() << std::endl;
  return absl::IsCancelled(status) ? 130 : 1;  // 130: as shells expect after Ctrl-C
}
