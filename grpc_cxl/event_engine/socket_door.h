#ifndef GRPC_CXL_EVENT_ENGINE_SOCKET_DOOR_H_
#define GRPC_CXL_EVENT_ENGINE_SOCKET_DOOR_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>
#include <optional>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/coherence/memory_model.h"
#include "grpc_cxl/event_engine/door.h"
#include "grpc_cxl/event_engine/pollable.h"
#include "grpc_cxl/event_engine/poller.h"
#include "grpc_cxl/options.h"
#include "grpc_cxl/rendezvous/name_listener.h"

namespace grpc_cxl {

class Greeting;

// A name in a rendezvous directory: clients connect to its socket and say hello.
//
//   accepted --Hello--> handed over as a Caller
//       |
//       | 10 s, or Stop()
//       v
//     closed
//
// Owned by a shared_ptr.
class SocketDoor final : public Door,
                         public Pollable,
                         public std::enable_shared_from_this<SocketDoor> {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;

  // Registers the name at once; connections wait until Start(). Errors are those of
  // FindRendezvousDirectory() and NameListener::Listen(). `memory` is how the server gets at
  // its arenas.
  static absl::StatusOr<std::shared_ptr<SocketDoor>> Open(std::shared_ptr<EventEngine> executor,
                                                          Poller* poller, const ServiceName& name,
                                                          const ServerOptions& options,
                                                          const MemoryModel& memory);

  void Start(OnCaller on_caller) override;
  void Stop() override;

  // Pollable: somebody wants to connect.
  int fd() const override { return listener_fd_; }
  void OnFdReadable() override { AcceptAll(); }

 private:
  friend class Greeting;

  SocketDoor(std::shared_ptr<EventEngine> executor, Poller* poller, NameListener listener,
             const ServiceName& name, const ServerOptions& options, const MemoryModel& memory);

  void AcceptAll();
  // AcceptAll() once more, some time after it could not accept.
  void Retry();
  // A client has said hello.
  void HandOver(UniqueFd socket, const ClientHello& hello);
  // `greeting` is over.
  void Forget(const Greeting* greeting);

  const std::shared_ptr<EventEngine> executor_;
  Poller* const poller_;
  const ServiceName name_;
  const Trust trust_;
  const ArenaBacking backing_;
  const MemoryModel memory_;
  const int listener_fd_;

  absl::Mutex mu_;
  std::optional<NameListener> listener_ ABSL_GUARDED_BY(mu_);  // empty: stopped
  OnCaller on_caller_ ABSL_GUARDED_BY(mu_);
  std::unordered_map<const Greeting*, std::shared_ptr<Greeting>> greetings_ ABSL_GUARDED_BY(mu_);
  bool paused_ ABSL_GUARDED_BY(mu_) = false;    // too many greetings: some wait in the queue
  bool retrying_ ABSL_GUARDED_BY(mu_) = false;  // Retry() is due
};

}  // namespace grpc_cxl

#endif  // GRPC_CXL_EVENT_ENGINE_SOCKET_DOOR_H_
