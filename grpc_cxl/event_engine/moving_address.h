// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_MOVING_ADDRESS_H_
#define GRPC_CXL_EVENT_ENGINE_MOVING_ADDRESS_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/endpoint/drainable_endpoint.h"
#include "grpc_cxl/event_engine/arrivals.h"
#include "grpc_cxl/event_engine/local_server.h"
#include "grpc_cxl/event_engine/move_back_off.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/polling/watchdog.h"

namespace grpc_cxl::internal {

// A network address to which this process's channels have connections over the network, and at
// which a server of this host may appear. Then the connections are drained, and gRPC's next ones
// are made through memory (local_first.h):
//
//            +-------------- the network again <-- gRPC connects: refused, or gone ------+
//            v                                                                           |
//   waiting --a name appears--> looking --one may answer--> probing --it takes us--> draining
//      ^  ^                        |                           |                         |
//      |  +------ none may --------+                           |                 gRPC connects
//      +-------- it does not: again after a pause -------------+                         v
//                                                                              through memory
//
// * Looking is what each connection attempt does (FindLocalServers()), and so is its check of the
//   server. A probe makes a connection through memory, waits for the first bytes of the server's
//   HTTP/2 and drops it: no connection is drained for a server that refuses, or is no gRPC server.
// * A connection is drained by a GOAWAY that only gRPC's client sees (DrainableReads), after the
//   first call on it. Calls that run end where they are. Calls that gRPC has not begun to send it
//   makes on the next connection, whatever the application's retry policy, so that none fails and
//   none is made twice; except for requests of more than GRPC_ARG_PER_RPC_RETRY_BUFFER_SIZE bytes
//   (256 KiB by default) in the moment between the choice of a connection and the GOAWAY: gRPC
//   keeps them not, and they end UNAVAILABLE, as at every GOAWAY of a server.
// * After a move, and after a failure, the address waits, the longer the more of them there are
//   (MoveBackOff): a server that takes connections and drops them costs its clients no more than
//   one reconnect a second.
// * When the server dies before gRPC connects, the next connection is over the network. When it
//   dies later, the connection through memory ends as any other, and gRPC's next attempt finds no
//   server, or a dead one, and goes over the network.
//
// Who may move a connection: whoever may answer for its address (local_server.h), and could have it
// at the next connection attempt anyway. Everybody who can write to the directory can have the
// process look, fifty times a second at most.
//
// Thread-safe; owned by a shared_ptr.
class MovingAddress final : public Arrivals::Waiter,
                            public std::enable_shared_from_this<MovingAddress> {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;

  // Which address, and as whom. `host` as in FindLocalServers().
  struct Key {
    EventEngine::ResolvedAddress address;
    std::string host;
    int settings_number;

    friend bool operator<(const Key& a, const Key& b);
  };

  struct Terms {
    Key key;
    ChannelSettings settings;
    std::shared_ptr<EventEngine> executor;
    Watchdog* watchdog;
    bool direct;  // whether its connections are to carry direct calls
  };

  // Has `connection`, which has just been made over the network, drained when a server of this host
  // has come, if only since the attempt to connect looked for one; returns what gRPC is to use
  // instead. `declined`: a server was there, but would not have it. Where no server of this host
  // could ever answer for the address, returns the connection as it is.
  static std::unique_ptr<EventEngine::Endpoint> Keep(
      const Terms& terms, std::unique_ptr<EventEngine::Endpoint> connection, bool declined);

  void OnArrival() override;

 private:
  class Lease;  // while gRPC has the connection; while there is one, the directory is watched

  struct Table;
  static Table& TheTable();
  // Erases what is not needed any more, and has nothing to remember. With the table's lock.
  static void EraseForgotten(Table& table) ABSL_NO_THREAD_SAFETY_ANALYSIS;

  explicit MovingAddress(const Terms& terms) : terms_(terms) {}

  void Enter(std::weak_ptr<DrainableReads> connection, bool declined,
             const std::vector<ServiceName>& names);
  void Leave();
  void Look();
  void LookAt(MoveBackOff::Clock::time_point when) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnProbed(const absl::Status& status);

  const Terms terms_;

  absl::Mutex mu_;
  int leases_ ABSL_GUARDED_BY(mu_) = 0;
  std::shared_ptr<Arrivals> arrivals_ ABSL_GUARDED_BY(mu_);  // null without leases
  std::vector<std::weak_ptr<DrainableReads>> connections_ ABSL_GUARDED_BY(mu_);
  MoveBackOff back_off_ ABSL_GUARDED_BY(mu_);
  bool busy_ ABSL_GUARDED_BY(mu_) = false;   // looking or probing
  bool again_ ABSL_GUARDED_BY(mu_) = false;  // when that is over
  bool due_ ABSL_GUARDED_BY(mu_) = false;    // a timer will Look()
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_MOVING_ADDRESS_H_
