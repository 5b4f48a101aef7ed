// SPDX-License-Identifier: Apache-2.0

// Puts load on the hotel reservation services:
//
//   ./bazelw run -c opt //examples/hotel_reservation:load -- --transport=cxl --rate=1000

#include <google/protobuf/util/json_util.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/log/check.h"
#include "absl/log/initialize.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/hotel_reservation/load_generator/open_loop.h"
#include "examples/hotel_reservation/load_generator/recorder.h"
#include "examples/hotel_reservation/load_generator/result.pb.h"
#include "examples/hotel_reservation/load_generator/scan.h"
#include "examples/hotel_reservation/load_generator/services_usage.h"
#include "examples/hotel_reservation/load_generator/target.h"

ABSL_FLAG(std::string, transport, "cxl", "tcp, unix, cxl or auto: --transport of the services");
ABSL_FLAG(std::string, base, "", "folder with the services' addresses: --base of the services");
ABSL_FLAG(std::string, via, "grpc", "path to the frontend: grpc (over --transport) or http");
ABSL_FLAG(std::string, http, "127.0.0.1:8080", "HOST:PORT of the frontend for --via=http");
ABSL_FLAG(double, rate, 1000, "requests per second");
ABSL_FLAG(double, seconds, 10, "duration without the warm-up");
ABSL_FLAG(double, warmup, 1, "seconds of the same load before it, unmeasured");
ABSL_FLAG(uint64_t, seed, 1, "seed of the random requests");
ABSL_FLAG(int, connections, 0, "connections to the frontend; 0: 1 for grpc, 32 for http");
ABSL_FLAG(absl::Duration, deadline, absl::Seconds(1), "deadline of a request");
ABSL_FLAG(absl::Duration, p99_limit, absl::InfiniteDuration(),
          "end as soon as a request has failed or p99 must be above this");
ABSL_FLAG(
    int, scan, 0,
    "searches at a time of a job in the background, which searches without a pause; 0: no job");
ABSL_FLAG(bool, priorities, true,
          "with --scan: the job's calls are bulk and the others interactive, else all are alike");
ABSL_FLAG(std::string, json, "", "file to write the result to, as JSON");

namespace hotel_reservation {
namespace {

using grpc_cxl::Priority;

double CpuSeconds() {
  timespec cpu;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  return cpu.tv_sec + cpu.tv_nsec / 1e9;
}

absl::StatusOr<LoadResult> Run() {
  const absl::StatusOr<AddressBook> addresses =
      AddressBook::Make(absl::GetFlag(FLAGS_transport), absl::GetFlag(FLAGS_base));
  if (!addresses.ok()) return addresses.status();
  const double rate = absl::GetFlag(FLAGS_rate);
  double seconds = absl::GetFlag(FLAGS_seconds);
  const std::string via = absl::GetFlag(FLAGS_via);
  int connections = absl::GetFlag(FLAGS_connections);
  if (!(rate > 0 && rate <= 1e6) || !(seconds > 0) || !(absl::GetFlag(FLAGS_warmup) >= 0) ||
      connections < 0 || connections > 1000) {
    return absl::InvalidArgumentError(
        "--rate must be above 0 and at most 1000000, --seconds above 0, --warmup not negative, "
        "--connections at most 1000.");
  }
  const int scan = absl::GetFlag(FLAGS_scan);
  const bool priorities = scan > 0 && absl::GetFlag(FLAGS_priorities);
  if (scan < 0 || scan > 10'000) {
    return absl::InvalidArgumentError("--scan must be at most 10000, and not negative.");
  }
  if (via != "grpc" && via != "http") {
    return absl::InvalidArgumentError(
        absl::StrCat("There is no --via=", via, "; there are grpc and http."));
  }
  if (connections == 0) connections = via == "grpc" ? 1 : 32;
  const absl::Duration deadline = absl::GetFlag(FLAGS_deadline);
  const std::unique_ptr<Target> target =
      via == "grpc" ? GrpcTarget(*addresses, connections, deadline,
                                 priorities ? Priority::kInteractive : Priority::kDefault)
                    : HttpTarget(absl::GetFlag(FLAGS_http), connections, deadline);
  std::unique_ptr<Target> scanned;
  std::optional<Scan> job;
  if (scan > 0) {
    scanned = GrpcTarget(*addresses, /*connections=*/1, absl::Minutes(1),
                         priorities ? Priority::kBulk : Priority::kDefault);
    job.emplace(*scanned, absl::GetFlag(FLAGS_seed) + 1, scan);
  }

  RequestMix mix(absl::GetFlag(FLAGS_seed));
  Recorder warm_up;
  SendAtRate(*target, mix, rate, absl::Seconds(absl::GetFlag(FLAGS_warmup)), warm_up);

  // Nothing but the job is under way here, so that the differences belong to the requests measured.
  ServicesUsage usage(*addresses);
  usage.Start();
  const double cpu_start = CpuSeconds();
  const int64_t answered = job.has_value() ? job->answered() : 0;
  const absl::Time start = absl::Now();
  Recorder recorder(absl::GetFlag(FLAGS_p99_limit));
  const int64_t sent = SendAtRate(*target, mix, rate, absl::Seconds(seconds), recorder);
  const double cpu = CpuSeconds() - cpu_start;
  const double scan_per_s =
      job.has_value() ? (job->answered() - answered) / absl::ToDoubleSeconds(absl::Now() - start)
                      : 0;
  const std::optional<ServicesUsage::Difference> used = usage.SinceStart();

  seconds = std::min(seconds, sent / rate);
  LoadResult result;
  result.set_transport(addresses->transport());
  result.set_via(via);
  result.set_seed(absl::GetFlag(FLAGS_seed));
  result.set_offered_per_s(rate);
  result.set_seconds(seconds);
  result.set_sent(sent);
  result.set_scan(scan);
  result.set_priorities(priorities);
  result.set_scan_per_s(scan_per_s);
  recorder.Fill(result);
  if (sent > 0) {
    result.set_served_per_s(result.served() / seconds);
    result.set_generator_cpu_us_per_request(cpu * 1e6 / sent);
    if (used) {
      result.set_services_cpu_us_per_request(used->cpu_ns / 1e3 / sent);
      result.set_rpcs_per_request(static_cast<double>(used->backend_calls) / sent);
    }
  }
  return result;
}

void Print(const LoadResult& result) {
  absl::PrintF(
      "%s via %s: offered %.0f/s, served %.0f/s, %d errors\n"
      "latency ms: p50 %.3f, p99 %.3f, p99.9 %.3f, max %.3f; the generator was late by up to "
      "%.3f in 99 of 100\n"
      "CPU us per request: services %.0f, generator %.0f; RPCs per request %.3f\n",
      result.transport(), result.via(), result.offered_per_s(), result.served_per_s(),
      result.errors(), result.p50_ms(), result.p99_ms(), result.p999_ms(), result.max_ms(),
      result.send_lag_p99_ms(), result.services_cpu_us_per_request(),
      result.generator_cpu_us_per_request(), result.rpcs_per_request());
  if (result.scan() > 0) {
    absl::PrintF("a job beside it, %d searches at a time, %s priorities: %.0f/s\n", result.scan(),
                 result.priorities() ? "with" : "without", result.scan_per_s());
  }
  for (const KindResult& kind : result.kinds()) {
    absl::PrintF("  %-10s served %7d, errors %5d, p50 %.3f, p99 %.3f\n", kind.kind(), kind.served(),
                 kind.errors(), kind.p50_ms(), kind.p99_ms());
  }
  for (const auto& [text, count] : result.errors_by_text()) {
    absl::PrintF("  %d times: %s\n", count, text);
  }
}

// `bazel run` changes the directory and says from which one.
std::filesystem::path Where(const std::string& file) {
  const char* directory = getenv("BUILD_WORKING_DIRECTORY");
  return std::filesystem::path(directory == nullptr ? "" : directory) / file;
}

absl::Status Main() {
  const std::string file = absl::GetFlag(FLAGS_json);
  std::ofstream json;
  if (!file.empty()) {  // better now than after all the work
    json.open(Where(file));
    if (!json) {
      return absl::InvalidArgumentError(absl::StrCat("--json=", file, " cannot be written."));
    }
  }
  const absl::StatusOr<LoadResult> result = Run();
  if (!result.ok()) return result.status();
  Print(*result);
  if (file.empty()) return absl::OkStatus();
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  options.always_print_fields_with_no_presence = true;
  std::string text;
  CHECK_OK(google::protobuf::util::MessageToJsonString(*result, &text, options));
  json << text;
  json.close();
  return json ? absl::OkStatus()
              : absl::UnavailableError(absl::StrCat("--json=", file, " cannot be written."));
}

}  // namespace
}  // namespace hotel_reservation

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("puts load on the hotel reservation services");
  absl::ParseCommandLine(argc, argv);
  absl::InitializeLog();
#ifdef NDEBUG
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);  // as the services do
#endif
  const absl::Status status = hotel_reservation::Main();
  if (status.ok()) return 0;
  std::cerr << "load: " << status.message() << std::endl;
  return 1;
}
