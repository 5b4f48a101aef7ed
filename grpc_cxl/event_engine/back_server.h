// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_BACK_SERVER_H_
#define GRPC_CXL_EVENT_ENGINE_BACK_SERVER_H_

#include <grpc/event_engine/event_engine.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/direct/server_link_user.h"
#include "grpc_cxl/event_engine/acceptor_registry.h"
#include "grpc_cxl/event_engine/known_client.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/polling/watchdog.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

class Acceptor;
class SocketClientSource;

// What a server is called that clients let their servers call back; no target can name it.
ServiceName BackName();

// The part of a grpc_cxl::ServerBuilder's server that takes connections back (way_back.h). gRPC
// gets them as those of an address, since its passive listener cannot be used while its server
// shuts down (gRPC 1.83: dropping the last reference without an ExecCtx crashes). The address only
// leads to this object, and nobody can connect to it. Thread-safe; owned by the builder, and by the
// address's listener until the server shuts down.
class BackServer {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;
  using EndpointCallback = std::function<void(std::unique_ptr<EventEngine::Endpoint>)>;

  static std::shared_ptr<BackServer> Make();
  ~BackServer();

  // Its number, from 1 on: Numbered<BackServer>.
  int number() const { return number_; }
  // Its address, for AddListeningPort(); and the object of such an address, null for any other.
  std::string address() const;
  static bool IsAddress(absl::string_view address);
  static std::shared_ptr<BackServer> AtAddress(const EventEngine::ResolvedAddress& address);

  // `server`, a grpc_server, is the one of which this is a part.
  void Built(const void* server);
  // Of a server; null where no such builder has made it, or it has shut down.
  static std::shared_ptr<BackServer> Of(const void* server);

  // For the listener: it takes endpoints, of a server with these limits, until Stop().
  void Start(EndpointCallback on_endpoint, const ServerLimits& limits);
  void Stop();

  // Takes connections from now on. `make_handler` makes the handler of direct calls, and is called
  // only where there may be some. Further calls do nothing; FAILED_PRECONDITION when they have
  // other settings, or when gRPC has no listener for the address.
  absl::Status Open(
      std::shared_ptr<EventEngine> executor, Watchdog* watchdog, const ServerSettings& settings,
      absl::FunctionRef<std::shared_ptr<CallHandler>(const ServerLimits& limits)> make_handler);

  // After Open(): `client` has said hello on a line.
  void Adopt(UniqueFd line, const ClientHello& hello, KnownClient client);

 private:
  BackServer() = default;

  int number_ = 0;

  absl::Mutex mu_;
  const void* server_ ABSL_GUARDED_BY(mu_) = nullptr;  // only a key
  ServerLimits limits_ ABSL_GUARDED_BY(mu_);
  EndpointCallback on_endpoint_ ABSL_GUARDED_BY(mu_);  // null before Start() and after Stop()
  std::optional<ServerSettings> settings_ ABSL_GUARDED_BY(mu_);  // of Open()
  std::shared_ptr<SocketClientSource> source_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Acceptor> acceptor_ ABSL_GUARDED_BY(mu_);  // null before Open()
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_BACK_SERVER_H_
