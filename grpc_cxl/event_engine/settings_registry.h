// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_SETTINGS_REGISTRY_H_
#define GRPC_CXL_EVENT_ENGINE_SETTINGS_REGISTRY_H_

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/no_destructor.h"
#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace grpc_cxl::internal {

// Settings travel through gRPC as small numbers: in a channel's arguments (kSettingsArg), and
// on a server inside the address ("cxl:///payments?options=3"), because server credentials
// learn their address when the server's arguments are already fixed. Equal settings have one
// number, so that equal channels share their connections as they do over TCP. Invalid options
// are registered as their error, which every connection then reports.
//
// Thread-safe. Entries stay for the life of the process.
template <typename Settings>
class SettingsRegistry {
 public:
  // For addresses and channels without a number, as without our credentials.
  static constexpr int kDefaults = -1;

  static int Register(absl::StatusOr<Settings> settings) {
    State& state = TheState();
    absl::MutexLock lock(state.mu);
    const auto it = std::find(state.registered.begin(), state.registered.end(), settings);
    if (it != state.registered.end()) return static_cast<int>(it - state.registered.begin());
    state.registered.push_back(std::move(settings));
    return static_cast<int>(state.registered.size()) - 1;
  }
  static void RegisterDefaults(absl::StatusOr<Settings> settings) {
    State& state = TheState();
    absl::MutexLock lock(state.mu);
    state.defaults = std::move(settings);
  }

  // The defaults for an unknown number.
  static absl::StatusOr<Settings> Find(int number) {
    State& state = TheState();
    absl::MutexLock lock(state.mu);
    if (number >= 0 && static_cast<size_t>(number) < state.registered.size()) {
      return state.registered[number];
    }
    return state.defaults;
  }

 private:
  struct State {
    absl::Mutex mu;
    std::vector<absl::StatusOr<Settings>> registered ABSL_GUARDED_BY(mu);
    absl::StatusOr<Settings> defaults ABSL_GUARDED_BY(mu) =
        absl::FailedPreconditionError("no default settings: use grpc_cxl::Engine()");
  };
  static State& TheState() {
    static absl::NoDestructor<State> state;
    return *state;
  }
};

// The channel argument with the number of a channel's settings, an integer.
inline constexpr char kSettingsArg[] = "grpc_cxl.options";

// The channel argument, text: under which calls to a network target find their connection
// (CallRoutes, ClientPoolKey()). Absent where they must not.
inline constexpr char kCallsKeyArg[] = "grpc_cxl.calls_key";

// The channel argument, text: the host and port of a network target.
inline constexpr char kHostArg[] = "grpc_cxl.host";

// The channel argument, an integer: 1 when connections to a network target carry HTTP/2 as it is,
// without TLS or another handshake before it.
inline constexpr char kPlainArg[] = "grpc_cxl.plain";

// The channel argument, an integer: 1 when the channel has another policy than pick_first, to a
// name, and connections that carry HTTP/2 as it is.
inline constexpr char kSpreadsArg[] = "grpc_cxl.spreads";

// The channel argument, an integer: 1 when the channel may make direct calls.
inline constexpr char kDirectArg[] = "grpc_cxl.direct_calls";

// The channel argument, an integer: the number of the BackServer that the channel's servers may
// call. Absent: none.
inline constexpr char kServeBackArg[] = "grpc_cxl.serve_back";

// The channel argument, an integer: the number of the WayBack by which the channel connects,
// whatever its target. Absent: by its target.
inline constexpr char kWayBackArg[] = "grpc_cxl.way_back";

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_SETTINGS_REGISTRY_H_
