// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_LINE_KEEPER_H_
#define GRPC_CXL_EVENT_ENGINE_LINE_KEEPER_H_

#include <grpc/event_engine/event_engine.h>

#include <chrono>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/endpoint/endpoint_core.h"
#include "grpc_cxl/event_engine/life_bond.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/polling/poller.h"
#include "grpc_cxl/rendezvous/line_key.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

// A client's part of calls back (way_back.h): as long as its connection lives, keeps one line
// (line.h) at the server, and hands it to the BackServer when the server says hello on it.
//
//            +--- hello: connection back, another line after a pause ---+
//            v                                                          |
//   (no line) --connect, Line--> (one line) ----------------------------+
//            ^                        |
//            +--- refused, closed, or could not connect: again after a pause
//
// A pause is kPause, and doubles, up to kLongestPause, with each line that comes to nothing, and
// each connection back that ends before it has lasted for kLasting. One that has lasted makes it
// kPause again.
//
// So a server that uses up lines, or takes none, costs a system call now and then. One that takes
// each into a connection gets no more than kMost at a time. Thread-safe; owned by its connection.
class LineKeeper final : public std::enable_shared_from_this<LineKeeper> {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;

  struct Terms {
    std::shared_ptr<EventEngine> executor;
    Poller* poller;
    EndpointSettings settings;  // the channel's: where the server is found, and who it may be
    ServiceName name;           // at which the server takes lines
    LineKey key;                // the connection's
    int server;                 // the BackServer's number
  };
  // Keeps lines until `connection`, which has not been started, ends.
  static void Start(Terms terms, EndpointCore& connection);

  explicit LineKeeper(Terms terms) : terms_(std::move(terms)) {}

  // An honest server has one connection back, and maybe some whose end we have not yet noticed, or
  // whose calls go on.
  static constexpr int kMost = 8;
  static constexpr auto kPause = std::chrono::milliseconds(100);
  static constexpr auto kLongestPause = std::chrono::seconds(6);
  static constexpr auto kLasting = std::chrono::seconds(10);

 private:
  class Line;
  class Ticket;

  absl::StatusOr<std::shared_ptr<Line>> Connect();
  EventEngine::Duration Pause() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The next attempt to have a line, unless there is one or may be none.
  void ConnectAfter(EventEngine::Duration pause) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ConnectNow();
  void OnReadable(Line& line);
  // There is no line.
  void Failed(const absl::Status& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A connection back is over. `lasted`: for kLasting, or longer.
  void OnEnded(bool lasted);
  void Close();

  const Terms terms_;
  const std::shared_ptr<LifeBond> bond_ = std::make_shared<LifeBond>();

  absl::Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  bool connecting_ ABSL_GUARDED_BY(mu_) = false;  // or about to
  std::shared_ptr<Line> line_ ABSL_GUARDED_BY(mu_);
  int connections_ ABSL_GUARDED_BY(mu_) = 0;    // back
  int failures_ ABSL_GUARDED_BY(mu_) = 0;       // since a connection back has lasted
  bool said_why_ ABSL_GUARDED_BY(mu_) = false;  // likewise
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_LINE_KEEPER_H_
