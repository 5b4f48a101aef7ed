// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_NAME_FILES_H_
#define GRPC_CXL_RENDEZVOUS_NAME_FILES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

// The names of a name's files in a rendezvous directory. A rollout (a version of a whole
// application) has files of its own, so its processes find each other and nobody else, and several
// rollouts can serve one name at the same time.

// The longest rollout: with it the longest name of a network address just fits into the address of
// a unix socket.
inline constexpr size_t kMaxRolloutLength = 12;

// Calls `each` with the name of every file of the directory, in no order, until it returns false.
void ForEachFile(const RendezvousDirectory& directory,
                 absl::FunctionRef<bool(absl::string_view)> each);

// [A-Za-z0-9._-], 1 to kMaxRolloutLength of them.
bool IsRollout(absl::string_view text);

// Without the suffix: "payments", or "payments~7d4b9c6f5" in that rollout.
std::string FileStem(const RendezvousDirectory& directory, const ServiceName& name);

// The same for a region, which has no files: "shop/payments~7d4b9c6f5".
std::string NameInRollout(const ServiceName& name, absl::string_view rollout);

// INVALID_ARGUMENT when the two together are too long for the address of a unix socket.
absl::Status CheckLength(const ServiceName& name, absl::string_view rollout);

// Those of the directory's other rollouts that have files for the name, in no order; "" is none.
std::vector<std::string> OtherRollouts(const RendezvousDirectory& directory,
                                       const ServiceName& name);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_NAME_FILES_H_
