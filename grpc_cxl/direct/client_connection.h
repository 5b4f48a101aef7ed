#ifndef GRPC_CXL_DIRECT_CLIENT_CONNECTION_H_
#define GRPC_CXL_DIRECT_CLIENT_CONNECTION_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "grpc_cxl/direct/call_blocks.h"
#include "grpc_cxl/direct/client_calls.h"
#include "grpc_cxl/doorbell/spin_budget.h"
#include "grpc_cxl/event_engine/link_user.h"

namespace grpc_cxl {

// A connection over which direct calls can be made now.
struct ClientLink {
  // Keeps the connection's memory mapped while calls use it.
  std::shared_ptr<void> owner;
  ClientCalls* calls = nullptr;
  CallBlocks blocks;
  // To be called when a call is over: the connection may be waiting for it to close.
  std::function<void()> finished;
  // Ends the connection, and with it the calls on it.
  std::function<void(absl::Status)> fail;
};

// Where the direct calls of a channel find their connection: channels to one name with
// equal options share it, as gRPC lets them share the connection itself. Thread-safe.
class ClientLinks {
 public:
  // The one for this name and number of ChannelOptions (see OptionsRegistry).
  static std::shared_ptr<ClientLinks> For(const std::string& name, int options);

  // The newest connection that takes calls; null when there is none.
  std::shared_ptr<const ClientLink> Current() const;
  void Add(std::shared_ptr<const ClientLink> link);
  void Remove(const ClientCalls* calls);

 private:
  mutable absl::Mutex mu_;
  std::shared_ptr<const ClientLink> current_ ABSL_GUARDED_BY(mu_);
};

// The client's direct calls as a user of an endpoint's link.
class ClientConnection final : public LinkUser {
 public:
  ClientConnection(absl::Span<char> region, size_t buffer_bytes, std::function<void()> ring,
                   SpinBudget spin, std::shared_ptr<ClientLinks> links)
      : calls_(region, buffer_bytes, std::move(ring), spin), links_(std::move(links)) {}

  ClientCalls& calls() { return calls_; }

  bool Ready() const override { return calls_.Ready(); }
  absl::Status Run() override { return calls_.Run(); }
  void Retire() override {
    links_->Remove(&calls_);
    calls_.Retire();
  }
  void Ended() override {
    links_->Remove(&calls_);
    calls_.Ended();
  }
  bool Busy() const override { return calls_.busy() > 0; }

 private:
  ClientCalls calls_;
  const std::shared_ptr<ClientLinks> links_;
};

}  // namespace grpc_cxl

#endif  // GRPC_CXL_DIRECT_CLIENT_CONNECTION_H_
