#include "grpc_cxl/event_engine/greeting.h"

#include <chrono>
#include <optional>
#include <utility>

#include "absl/log/log.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/event_engine/socket_door.h"
#include "grpc_cxl/rendezvous/handshake.h"

namespace grpc_cxl {
namespace {

constexpr auto kHelloTimeout = std::chrono::seconds(10);

}  // namespace

void Greeting::Start() {
  poller_->Add(shared_from_this());
  // Refuse() may have come first, when there was nothing yet for it to remove.
  if (ended_.load(std::memory_order_acquire)) poller_->Remove(this);
  // Holds no reference: a greeting that is over leaves nothing behind but this small closure.
  door_->executor_->RunAfter(kHelloTimeout, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self != nullptr && self->End()) {
      LOG_EVERY_N_SEC(WARNING, 1) << "a client of cxl:///" << self->door_->name_.str()
                                  << " connected and said nothing for 10 s; dropped";
    }
  });
}

void Greeting::Refuse() {
  if (End()) SendRefusal(socket_.get(), Refusal::kShuttingDown, "the server is shutting down");
}

void Greeting::OnFdReadable() {
  absl::StatusOr<std::optional<ClientHello>> hello;
  UniqueFd socket;
  {
    // A leader that was deposed in here may still read when the next one calls.
    absl::MutexLock lock(mu_);
    if (!socket_) return;
    hello = ReceiveHello(socket_.get(), door_->trust_);
    if (hello.ok() && !hello->has_value()) return;  // not yet
    if (!End()) return;
    socket = std::move(socket_);
  }
  if (!hello.ok()) {
    LOG_EVERY_N_SEC(WARNING, 1) << "a client of cxl:///" << door_->name_.str()
                                << " was turned away: " << hello.status().message();
    return;
  }
  // Elsewhere, because making an arena takes a while (about 0.2 ms a MiB).
  door_->executor_->Run([door = door_, socket = std::move(socket), hello = **hello]() mutable {
    door->HandOver(std::move(socket), hello);
  });
}

bool Greeting::End() {
  if (ended_.exchange(true, std::memory_order_acq_rel)) return false;
  poller_->Remove(this);
  door_->Forget(this);
  return true;
}

}  // namespace grpc_cxl
