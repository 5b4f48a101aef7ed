// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_BESIDE_H_
#define GRPC_CXL_EVENT_ENGINE_BESIDE_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/direct/offer.h"
#include "grpc_cxl/endpoint/endpoint.h"
#include "grpc_cxl/event_engine/connect_attempt.h"

namespace grpc_cxl::internal {

// A connection through memory beside one over the network whose address says nothing: of a service,
// of a proxy, or of another network namespace. The peer itself says whether it is here:
//
//   a unary call over the network  --offer: our host's identity-------->  server
//                                  <--answer: a name made for us--------  of the same host,
//   a connection to the name       --handshake as with any name-------->  directory and rollout
//
// It carries direct calls only, and ends with the connection over the network: that may lead to
// another server next time. (Channels with one key share their routes, and so their offers: where
// they have connections of their own, an offer may be answered over another's.) The first unary
// call that could be direct carries the offer; where there is no answer, so do three more, after 1,
// 3 and 7 s.
//
// Who may answer: whoever answers the calls of the connection. It can name only what begins with
// "offer=", which a server of this host makes for one answer. A peer elsewhere that lies can get
// one by passing the offer on to a server of this host, and so have our calls run there, as ours
// (CallPeer()); it could answer them as it likes anyway. Whoever reads the directory may take the
// only connection of such a name first, but is then no more than any client of the server. The
// server behind the name must be of a trusted user, as behind every name. When a process dies in
// between, the name ends after 10 s or with its process, and calls go on over the network.
//
// Thread-safe; owned by a shared_ptr.
class Beside final : public std::enable_shared_from_this<Beside> {
 public:
  // Has the routes' channels offer. `request`, whatever its name, is for the answer. Null where the
  // process has no rendezvous directory.
  static std::shared_ptr<Beside> Offer(const ConnectRequest& request);

 private:
  explicit Beside(const ConnectRequest& request) : request_(request) {}
  void OfferAndAgain(std::shared_ptr<const DirectOffer> offer,
                     ConnectRequest::EventEngine::Duration pause);
  void OnAnswer(const std::string& name);

  const ConnectRequest request_;
  absl::Mutex mu_;
  bool answered_ ABSL_GUARDED_BY(mu_) = false;
  std::unique_ptr<ConnectRequest::EventEngine::Endpoint> connection_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_BESIDE_H_
