// SPDX-License-Identifier: Apache-2.0
#include "test/support/both_sides.h"

#include <thread>

#include "absl/strings/str_cat.h"
#include "test/support/forked_child.h"

namespace grpc_cxl::internal {

std::string RunBothSides(World world, const std::function<std::string()>& here,
                         const std::function<std::string()>& there) {
  std::string from_here, from_there;
  if (world == World::kThreads) {
    std::thread thread([&] { from_there = there(); });
    from_here = here();
    thread.join();
  } else {
    ForkedChild child(there);
    from_here = here();
    from_there = child.Join();
  }
  if (!from_here.empty()) from_here = absl::StrCat("here: ", from_here);
  if (!from_there.empty()) from_there = absl::StrCat("there: ", from_there);
  return absl::StrCat(from_here, from_here.empty() || from_there.empty() ? "" : "; ", from_there);
}

}  // namespace grpc_cxl::internal
