// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/beside.h"

#include <chrono>
#include <utility>

#include "absl/log/log.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/direct/offer.h"
#include "grpc_cxl/event_engine/connector.h"
#include "grpc_cxl/rendezvous/host_identity.h"
#include "grpc_cxl/rendezvous/offered_name.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"

namespace grpc_cxl::internal {
namespace {

constexpr auto kPatience = std::chrono::seconds(5);

// Between offers without an answer: a server that has just started may not answer yet.
constexpr auto kFirstPause = std::chrono::seconds(1), kLastPause = std::chrono::seconds(4);

}  // namespace

std::shared_ptr<Beside> Beside::Offer(const ConnectRequest& request) {
  const absl::StatusOr<RendezvousDirectory> directory =
      RendezvousDirectory::Find(request.settings.directory);
  if (!directory.ok()) return nullptr;
  auto offer = std::make_shared<DirectOffer>();
  offer->text = HostIdentity(*directory);
  if (offer->text.empty()) return nullptr;
  std::shared_ptr<Beside> beside(new Beside(request));
  offer->on_answer = [weak = beside->weak_from_this()](const std::string& name) {
    if (const std::shared_ptr<Beside> self = weak.lock()) self->OnAnswer(name);
  };
  beside->OfferAndAgain(std::move(offer), kFirstPause);
  return beside;
}

void Beside::OfferAndAgain(std::shared_ptr<const DirectOffer> offer,
                           ConnectRequest::EventEngine::Duration pause) {
  {
    absl::MutexLock lock(mu_);
    if (answered_) return;
  }
  request_.routes->SetOffer(offer);
  if (pause > kLastPause) return;
  request_.executor->RunAfter(pause, [weak = weak_from_this(), offer, pause] {
    if (const std::shared_ptr<Beside> self = weak.lock()) self->OfferAndAgain(offer, 2 * pause);
  });
}

void Beside::OnAnswer(const std::string& name) {
  if (!IsOfferedName(name)) return;
  {
    absl::MutexLock lock(mu_);
    if (std::exchange(answered_, true)) return;
  }
  ConnectRequest request = request_;
  request.name = ServiceName::Reserved(name);
  Connect(std::move(request), kPatience,
          [weak = weak_from_this(), name](ConnectAttempt::Result result) {
            const std::shared_ptr<Beside> self = weak.lock();
            if (!result.ok()) VLOG(1) << name << ": " << result.status().message();
            if (self == nullptr || !result.ok()) return;
            absl::MutexLock lock(self->mu_);
            self->connection_ = *std::move(result);
          });
}

}  // namespace grpc_cxl::internal
