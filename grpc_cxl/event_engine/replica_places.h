// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_REPLICA_PLACES_H_
#define GRPC_CXL_EVENT_ENGINE_REPLICA_PLACES_H_

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace grpc_cxl::internal {

// To which of a name's replicas a client makes connections of its own, beside those that gRPC has,
// and when. There is place for kMost connections in all.
//
//   nothing --Take()--> connecting --Hold()--> held
//      ^                    | Failed()           | Ended()
//      +---- after a pause -+--------------------+
//
// * An entry in the directory may be a dead replica's, or a stopped one's, or a stranger's who
//   never answers. An attempt that takes longer than kSlow goes on, but takes no place any more, so
//   that those who would answer get one. What has failed least is tried first.
// * A pause doubles with each failure in a row: from 50 ms, for a name that appears shortly before
//   its server listens, to 16 s; where the replica has answered that it takes no direct calls, from
//   1 s to 256 s. Renew() ends all pauses.
// * A replica that ends connections soon after it has taken them, fails.
//
// Not thread-safe.
class ReplicaPlaces {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr size_t kMost = 16;
  static constexpr auto kSlow = std::chrono::milliseconds(200);

  // gRPC has one more connection to the replica, and one less.
  void Carry(const std::string& name);
  void Leave(const std::string& name);
  // Whether gRPC has a connection to a replica whose name begins so.
  bool AnyCarried(absl::string_view begin) const;

  // Of the replicas that the directory has, those to which to connect now.
  std::vector<std::string> Take(const std::vector<std::string>& found, Clock::time_point now);
  // When to Take() again; nullopt: not before something happens. Of the last Take().
  std::optional<Clock::time_point> next() const { return next_; }

  // An attempt has ended with a connection. False: it is not wanted any more.
  bool Hold(const std::string& name, Clock::time_point now);
  // An attempt has failed; a connection has been ended by the server. When to Take() again.
  Clock::time_point Failed(const std::string& name, const absl::Status& why, Clock::time_point now);
  Clock::time_point Ended(const std::string& name, Clock::time_point now);

  // Gives all connections and attempts up.
  void EndAll();
  // A name has appeared.
  void Renew();

 private:
  struct Place {
    enum class State { kNothing, kConnecting, kHeld };

    int carried = 0;
    State state = State::kNothing;
    Clock::time_point since;       // of `state`, if that is not kNothing
    int failures = 0;              // in a row
    Clock::time_point not_before;  // for the next attempt

    bool IsUsed() const { return carried > 0 || state != State::kNothing; }
    bool IsTaken(Clock::time_point now) const {
      return carried > 0 || state == State::kHeld ||
             (state == State::kConnecting && now - since < kSlow);
    }
  };

  size_t Taken(Clock::time_point now) const;
  void TakeBy(Clock::time_point when);

  std::map<std::string, Place> places_;  // by name
  std::optional<Clock::time_point> next_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_REPLICA_PLACES_H_
