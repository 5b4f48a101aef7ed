#ifndef GRPC_CXL_EVENT_ENGINE_OPTIONS_REGISTRY_H_
#define GRPC_CXL_EVENT_ENGINE_OPTIONS_REGISTRY_H_

#include <algorithm>
#include <cstddef>
#include <vector>

#include "absl/base/no_destructor.h"
#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/options.h"

namespace grpc_cxl {

// Options travel through gRPC as small numbers: in a channel's arguments (kOptionsArg), and
// on a server inside the address ("cxl:///payments?options=3"), because server credentials
// learn their address when the server's arguments are already fixed. Equal options have one
// number, so that equal channels share their connections as they do over TCP.
//
// Thread-safe. What is registered stays for the life of the process.
template <typename Options>
class OptionsRegistry {
 public:
  static int Register(const Options& options) {
    State& state = TheState();
    absl::MutexLock lock(state.mu);
    const auto it = std::find(state.options.begin(), state.options.end(), options);
    if (it != state.options.end()) return static_cast<int>(it - state.options.begin());
    state.options.push_back(options);
    return static_cast<int>(state.options.size()) - 1;
  }

  // The defaults for a number that was never given out.
  static Options Find(int number) {
    State& state = TheState();
    absl::MutexLock lock(state.mu);
    if (number < 0 || static_cast<size_t>(number) >= state.options.size()) return {};
    return state.options[number];
  }

 private:
  struct State {
    absl::Mutex mu;
    std::vector<Options> options ABSL_GUARDED_BY(mu);
  };
  static State& TheState() {
    static absl::NoDestructor<State> state;
    return *state;
  }
};

// The channel argument with a channel's options, an integer.
inline constexpr char kOptionsArg[] = "grpc_cxl.options";

// The channel argument that says, when it is 1, that the channel may make direct calls.
inline constexpr char kDirectArg[] = "grpc_cxl.direct_calls";

}  // namespace grpc_cxl

#endif  // GRPC_CXL_EVENT_ENGINE_OPTIONS_REGISTRY_H_
