// SPDX-License-Identifier: Apache-2.0
#include "examples/two_hosts/soak/path.h"

#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace soak {
namespace {

// Of peers that are gone, or silent, or have no memory left while they clear up. Not CANCELLED,
// even if they took this machine for dead while it stood still.
bool MayHappen(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
         status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
}

}  // namespace

void Wrong(absl::string_view what) {
  std::cout << absl::StrCat("WRONG: ", what, "\n") << std::flush;
}

void Path::Run() {
  while (!traffic_.stopping.load(std::memory_order_relaxed)) {
    const std::string id =
        absl::StrCat(traffic_.name, ".", traffic_.next_id.fetch_add(1, std::memory_order_relaxed));
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + traffic_.deadline));
    context.AddMetadata("x-request-id", id);
    const grpc::Status status = call_(context, id);
    if (status.ok()) {
      served_.fetch_add(1, std::memory_order_relaxed);
    } else {
      failed_.fetch_add(1, std::memory_order_relaxed);
      if (!MayHappen(status)) {
        Wrong(absl::StrCat("call ", id, " (", name_, ") ended with status ", status.error_code(),
                           ": ", status.error_message()));
      }
    }
    absl::SleepFor(traffic_.pause);
  }
}

}  // namespace soak
