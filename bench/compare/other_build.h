// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_COMPARE_OTHER_BUILD_H_
#define GRPC_CXL_BENCH_COMPARE_OTHER_BUILD_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace grpc_cxl::bench {

// A commit of the repository that has `workspace` in it.
struct Revision {
  std::string name;    // as the user or DefaultRevision() calls it
  std::string commit;  // its full hash
  std::string title;   // first line of its message
};

// INVALID_ARGUMENT when there is no such revision.
absl::StatusOr<Revision> FindRevision(const std::string& workspace, const std::string& name);

// What a change is compared with: the merge base with origin/main; the parent of HEAD without one,
// or where the checkout is that merge base and has no changes. Absent in a clone without history.
absl::StatusOr<std::optional<Revision>> DefaultRevision(const std::string& workspace);

struct BuildOptions {
  std::string target;              // label of a program
  std::vector<std::string> flags;  // for Bazel
};

// Builds the program of another revision and returns a script that runs it; the script is put into
// `directory`. The sources are in a git work tree of their own, which is removed before this
// returns: branches, index and files of the user's checkout stay as they are. What Bazel makes is
// kept beside the output base of the workspace, for the next time.
//
// FAILED_PRECONDITION when it does not build; CANCELLED after Ctrl-C.
absl::StatusOr<std::string> BuildRevision(const std::string& workspace, const Revision& revision,
                                          const BuildOptions& options,
                                          const std::string& directory);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_COMPARE_OTHER_BUILD_H_
