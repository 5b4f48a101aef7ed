// SPDX-License-Identifier: Apache-2.0
#include "bench/compare/other_build.h"

#include <filesystem>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "bench/compare/command.h"

namespace grpc_cxl::bench {
namespace {

// git on the repository of `workspace`, whatever a git hook has set, and without its hooks.
Command Git(const std::string& workspace, const std::vector<std::string>& words) {
  Command command{.argv = {"env", "-u", "GIT_DIR", "-u", "GIT_INDEX_FILE", "-u", "GIT_WORK_TREE",
                           "git", "-C", workspace, "-c", "core.hooksPath=/dev/null"}};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  return command;
}

// Standard output of git without the last newline; absent when it fails.
absl::StatusOr<std::optional<std::string>> AskGit(const std::string& workspace,
                                                  const std::vector<std::string>& words) {
  Command command = Git(workspace, words);
  command.output = Output::kErrorsDropped;
  const absl::StatusOr<CommandResult> result = Run(command);
  if (!result.ok()) return result.status();
  if (!result->ok()) return std::nullopt;
  return std::string(absl::StripAsciiWhitespace(result->output));
}

std::string BazelOf(const std::string& workspace) {
  return std::filesystem::exists(workspace + "/bazelw") ? "./bazelw" : "bazel";
}

}  // namespace

absl::StatusOr<Revision> FindRevision(const std::string& workspace, const std::string& name) {
  const auto commit = AskGit(
      workspace, {"rev-parse", "--quiet", "--verify", "--end-of-options", name + "^{commit}"});
  if (!commit.ok()) return commit.status();
  if (!*commit) {
    return absl::InvalidArgumentError(absl::StrCat(
        "There is no revision '", name, "' in ", workspace,
        ". Name a commit, branch or tag that `git rev-parse` finds; a shallow clone has few."));
  }
  const auto title = AskGit(workspace, {"log", "-1", "--format=%s", **commit});
  if (!title.ok()) return title.status();
  return Revision{name, **commit, title->value_or("")};
}

absl::StatusOr<std::optional<Revision>> DefaultRevision(const std::string& workspace) {
  std::string name = "HEAD~1";
  const auto base = AskGit(workspace, {"merge-base", "origin/main", "HEAD"});
  if (!base.ok()) return base.status();
  if (*base) {
    const auto head = AskGit(workspace, {"rev-parse", "HEAD"});
    const auto changes = AskGit(workspace, {"status", "--porcelain", "--untracked-files=no"});
    if (!head.ok()) return head.status();
    if (!changes.ok()) return changes.status();
    if (*head != *base || changes->value_or("") != "") name = **base;
  }
  absl::StatusOr<Revision> revision = FindRevision(workspace, name);
  if (absl::IsInvalidArgument(revision.status())) return std::nullopt;
  if (!revision.ok()) return revision.status();
  if (name != "HEAD~1") revision->name = "merge base with origin/main";
  return *std::move(revision);
}

absl::StatusOr<std::string> BuildRevision(const std::string& workspace, const Revision& revision,
                                          const BuildOptions& options,
                                          const std::string& directory) {
  const auto failed = [&](const std::string& why, const std::string& output) {
    return absl::FailedPreconditionError(absl::StrCat("Cannot build ", options.target, " of ",
                                                      revision.name, ": ", why, "\n", output));
  };
  // The workspace may be a folder of its repository.
  const auto prefix = AskGit(workspace, {"rev-parse", "--show-prefix"});
  if (!prefix.ok()) return prefix.status();
  const absl::StatusOr<CommandResult> output_base =
      Run({.argv = {BazelOf(workspace), "info", "output_base"}, .directory = workspace});
  if (!output_base.ok()) return output_base.status();
  // The last line: Bazel's own messages come first.
  const std::string text(absl::StripAsciiWhitespace(output_base->output));
  const std::string base = text.substr(text.find_last_of('\n') + 1);
  if (!output_base->ok() || base.empty() || base[0] != '/') {
    return failed("Bazel does not name its output base:", text);
  }

  const std::string tree = directory + "/tree", script = directory + "/rpc_bench";
  const absl::Cleanup remove = [&] {
    // Twice: one that is half made is locked.
    Command command = Git(workspace, {"worktree", "remove", "--force", "--force", tree});
    command.runs_to_its_end = true;
    Run(command).IgnoreError();
  };
  const absl::StatusOr<CommandResult> added =
      Run(Git(workspace, {"worktree", "add", "--quiet", "--detach", tree, revision.commit}));
  if (!added.ok()) return added.status();
  if (!added->ok()) return failed("git makes no work tree:", added->output);

  const std::string sources = absl::StrCat(tree, "/", prefix->value_or(""));
  // --batch leaves no server behind.
  Command build{
      .argv = {BazelOf(sources), "--batch", absl::StrCat("--output_base=", base, "_other"), "run",
               absl::StrCat("--script_path=", script)},
      .directory = sources,
      .output = Output::kShown};
  build.argv.insert(build.argv.end(), options.flags.begin(), options.flags.end());
  build.argv.push_back(options.target);
  absl::FPrintF(stderr, "building %s of %s: %.12s %s\n", options.target, revision.name,
                revision.commit, revision.title);
  const absl::Time start = absl::Now();
  const absl::StatusOr<CommandResult> built = Run(build);
  if (!built.ok()) return built.status();
  if (!built->ok()) return failed("see Bazel's messages above.", "");
  absl::FPrintF(stderr, "built in %.0f s\n", absl::ToDoubleSeconds(absl::Now() - start));
  return script;
}

}  // namespace grpc_cxl::bench
