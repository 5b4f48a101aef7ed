#ifndef GRPC_CXL_EVENT_ENGINE_GREETING_H_
#define GRPC_CXL_EVENT_ENGINE_GREETING_H_

#include <grpc/event_engine/event_engine.h>

#include <atomic>
#include <memory>

#include "absl/synchronization/mutex.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/event_engine/pollable.h"
#include "grpc_cxl/event_engine/poller.h"

namespace grpc_cxl {

class SocketDoor;

// A connection that has been accepted and has not said hello yet. Ends once: with the
// client's Hello, with an error, after 10 s, or when the door closes.
class Greeting final : public Pollable, public std::enable_shared_from_this<Greeting> {
 public:
  Greeting(std::shared_ptr<SocketDoor> door, Poller* poller, UniqueFd socket)
      : door_(std::move(door)), poller_(poller), socket_(std::move(socket)) {}

  void Start();
  // The door closes: refuses the client.
  void Refuse();

  int fd() const override { return socket_.get(); }
  void OnFdReadable() override;

 private:
  // True for the first caller only.
  bool End();

  const std::shared_ptr<SocketDoor> door_;
  Poller* const poller_;
  absl::Mutex mu_;
  UniqueFd socket_;  // given away under mu_, by who has ended the greeting
  // Matched: set by End() before Remove(), looked at by Start() after Add().
  std::atomic<bool> ended_{false};
};

}  // namespace grpc_cxl

#endif  // GRPC_CXL_EVENT_ENGINE_GREETING_H_
