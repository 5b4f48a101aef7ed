// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_ENVIRONMENT_H_
#define GRPC_CXL_ENVIRONMENT_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/options.h"

// The only place where grpc_cxl reads environment variables; docs/configuration.md lists them.
// An empty variable counts as unset.
namespace grpc_cxl::internal {

inline constexpr int kMostPollingThreads = 64;

// The variables' texts.
struct Environment {
  std::string directory;            // GRPC_CXL_DIR
  std::string trusted_directory;    // GRPC_CXL_TRUSTED_DIR
  std::string runtime_directory;    // XDG_RUNTIME_DIR
  std::string temporary_directory;  // TMPDIR
  std::string allowed_uids;         // GRPC_CXL_ALLOWED_UIDS
  std::string allowed_groups;       // GRPC_CXL_ALLOWED_GROUPS
  std::string secret_file;          // GRPC_CXL_SECRET_FILE
  std::string also_known_as;        // GRPC_CXL_ALSO_KNOWN_AS
  std::string take_over;            // GRPC_CXL_TAKE_OVER
  std::string inline_calls;         // GRPC_CXL_INLINE_CALLS
  std::string direct_streams;       // GRPC_CXL_DIRECT_STREAMS
  std::string rollout;              // GRPC_CXL_ROLLOUT
  std::string spin_us;              // GRPC_CXL_SPIN_US
  std::string coherence;            // GRPC_CXL_COHERENCE
  std::string preset;               // GRPC_CXL_PRESET
  std::string memory;               // GRPC_CXL_MEMORY
  std::string check_flushes;        // GRPC_CXL_CHECK_FLUSHES
  std::string region;               // GRPC_CXL_REGION
  std::string host;                 // GRPC_CXL_HOST
  std::string region_bytes;         // GRPC_CXL_REGION_BYTES
  std::string polling_threads;      // GRPC_CXL_POLLING_THREADS
  std::string status;               // GRPC_CXL_STATUS
  std::string log;                  // GRPC_CXL_LOG

  static Environment Read();

  DirectoryCandidates Directory(const std::string& configured) const;
  // Applies GRPC_CXL_SPIN_US, _PRESET, _MEMORY, _CHECK_FLUSHES, _STATUS and _LOG to
  // `settings`.
  absl::Status Apply(EndpointSettings* settings) const;
  // `coherence`, unless GRPC_CXL_COHERENCE says otherwise; for the end that decides.
  absl::StatusOr<Coherence> Apply(Coherence coherence) const;
  // nullopt without GRPC_CXL_REGION. A region's coherence is kFlush by default.
  absl::StatusOr<std::optional<RegionOptions>> Region() const;
  // `otherwise`, unless GRPC_CXL_POLLING_THREADS says another number. For the whole process.
  absl::StatusOr<int> PollingThreads(int otherwise) const;
};

// The options, checked, with the environment as it is now applied. INVALID_ARGUMENT names the
// field or the variable and says what it may be. Of a region, the errors of MakeMemoryModel(); of a
// secret's file, which is read here, those of SharedSecret::Read().
absl::StatusOr<ChannelSettings> ResolveOptions(const ChannelOptions& options);
absl::StatusOr<ServerSettings> ResolveOptions(const ServerOptions& options);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_ENVIRONMENT_H_
