// SPDX-License-Identifier: Apache-2.0

// Checks whether calls have become slower, or take more CPU time, than in another revision: builds
// that revision's rpc_bench in a work tree of its own, runs it and this one in turn, and judges by
// confidence intervals. Needs no figures of the machine.
//
//   ./bazelw run -c opt //bench:regression                       # with the merge base, or HEAD~1
//   ./bazelw run -c opt //bench:regression -- --against=v1.2 --html=/tmp/r.html
//
// Exit codes: 0 no regression, or nothing to compare with; 1 a regression; 2 an error; 3 too noisy
// to tell.

#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "bench/compare/cases.h"
#include "bench/compare/comparison_report.h"
#include "bench/compare/other_build.h"
#include "bench/compare/session.h"
#include "bench/harness/bench_main.h"
#include "bench/harness/temporary_directory.h"
#include "bench/report/report.h"

using List = std::vector<std::string>;

ABSL_FLAG(std::string, against, "",
          "revision to compare with; default: the merge base with origin/main, else HEAD~1");
ABSL_FLAG(List, cases, {}, "only cases whose name begins with one of these; default: all");
ABSL_FLAG(double, minutes, 4, "for measuring; what is not clear by then is too noisy to tell");
ABSL_FLAG(double, seconds, 0.15, "length of a run");
ABSL_FLAG(List, build_flags, List({"-c", "opt"}), "Bazel's flags for the other revision");
ABSL_FLAG(std::string, target, "//bench:rpc_bench",
          "the program's label in that revision; @grpc_cxl//bench:rpc_bench in another repository");
ABSL_FLAG(std::string, json, "", "file to write the figures to, as JSON");
ABSL_FLAG(std::string, html, "", "file to write the distributions of both to, one HTML page");
ABSL_FLAG(std::string, binary_a, "", "for tests: an rpc_bench to compare with, instead of a build");
ABSL_FLAG(std::string, binary_b, "", "for tests: the new rpc_bench");

namespace grpc_cxl::bench {
namespace {

// rpc_bench as it was built with this program: beside it, also in another repository.
absl::StatusOr<std::string> NewProgram() {
  std::error_code error;
  std::filesystem::path file = absl::GetFlag(FLAGS_binary_b);
  if (file.empty())
    file = std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "rpc_bench";
  if (std::filesystem::exists(file, error)) return std::filesystem::absolute(file).string();
  return absl::FailedPreconditionError(
      absl::StrCat("There is no ", file.string(),
                   ". Start this program by: ./bazelw run -c opt //bench:regression"));
}

// Absent when there is nothing to compare with.
absl::StatusOr<std::optional<Revision>> WantedRevision(const std::string& workspace) {
  const std::string name = absl::GetFlag(FLAGS_against);
  if (name.empty()) return DefaultRevision(workspace);
  absl::StatusOr<Revision> revision = FindRevision(workspace, name);
  if (!revision.ok()) return revision.status();
  return *std::move(revision);
}

int ExitCode(const Comparison& comparison) {
  if (comparison.verdict() == kRegression) return 1;
  return comparison.verdict() == kTooNoisy ? 3 : 0;
}

absl::StatusOr<int> Coordinate() {
  SessionOptions options;
  options.seconds = absl::GetFlag(FLAGS_seconds);
  options.budget = absl::Minutes(absl::GetFlag(FLAGS_minutes));
  if (options.seconds <= 0 || options.budget <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("--seconds and --minutes must be above 0.");
  }
  absl::StatusOr<std::vector<ComparedCase>> cases = ComparedCases(absl::GetFlag(FLAGS_cases));
  if (!cases.ok()) return cases.status();
  options.cases = *std::move(cases);
  absl::StatusOr<std::string> program_b = NewProgram();
  if (!program_b.ok()) return program_b.status();
  options.program_b = *std::move(program_b);
  const absl::StatusOr<TemporaryDirectory> directory = TemporaryDirectory::Create();
  if (!directory.ok()) return directory.status();
  options.directory = directory->path();

  Revision revision{"--binary_a", "", ""};
  options.program_a = absl::GetFlag(FLAGS_binary_a);
  if (options.program_a.empty()) {
    const char* workspace = getenv("BUILD_WORKSPACE_DIRECTORY");
    if (workspace == nullptr) {
      return absl::FailedPreconditionError(
          "Start this program by: ./bazelw run -c opt //bench:regression");
    }
    const absl::StatusOr<std::optional<Revision>> wanted = WantedRevision(workspace);
    if (!wanted.ok()) return wanted.status();
    if (!*wanted) {
      absl::PrintF(
          "Nothing to compare with: this clone has no origin/main and no parent of HEAD. Fetch its "
          "history, or name a revision with --against.\n");
      return 0;
    }
    revision = **wanted;
    absl::StatusOr<std::string> program_a = BuildRevision(
        workspace, revision, {absl::GetFlag(FLAGS_target), absl::GetFlag(FLAGS_build_flags)},
        options.directory);
    if (!program_a.ok()) return program_a.status();
    options.program_a = *std::move(program_a);
  }

  absl::StatusOr<Comparison> comparison = Compare(options);
  if (!comparison.ok()) return comparison.status();
  comparison->set_revision(revision.name);
  comparison->set_commit(revision.commit);
  comparison->set_title(revision.title);
  absl::PrintF("%s\nA: %s %.12s %s\nB: this build\n\n%s\n%s\n", comparison->machine(),
               revision.name, revision.commit, revision.title, ComparisonAsTable(*comparison),
               VerdictInWords(*comparison));
  const absl::Status written =
      WriteReport(*comparison, FileOfFlag(absl::GetFlag(FLAGS_json)), ComparisonAsHtml(*comparison),
                  FileOfFlag(absl::GetFlag(FLAGS_html)));
  if (!written.ok()) return written;
  return ExitCode(*comparison);
}

}  // namespace
}  // namespace grpc_cxl::bench

int main(int argc, char** argv) {
  using namespace grpc_cxl::bench;  // NOLINT: main() is part of it
  return BenchMain(argc, argv,
                   {.name = "regression",
                    .usage = "checks whether calls have become slower than in another revision",
                    .roles = {},
                    .coordinate = Coordinate,
                    .exit_code_of_errors = 2});
}
