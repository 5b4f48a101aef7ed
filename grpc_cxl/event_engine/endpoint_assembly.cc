// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/endpoint_assembly.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/event_engine/connection_log.h"
#include "grpc_cxl/event_engine/cxl_address.h"
#include "grpc_cxl/event_engine/status_publisher.h"
#include "grpc_cxl/event_engine/status_table.h"
#include "grpc_cxl/payload/pool_directory.h"
#include "grpc_cxl/rendezvous/peer_text.h"

namespace grpc_cxl::internal {

using grpc_event_engine::experimental::EventEngine;

namespace {

// The number behind `key` in the text of an identity, such as "pid=4711,uid=1000"; else 0.
uint32_t NumberIn(absl::string_view identity, absl::string_view key) {
  for (absl::string_view part : absl::StrSplit(identity, ',')) {
    uint32_t number;
    if (absl::ConsumePrefix(&part, key) && absl::SimpleAtoi(part, &number)) return number;
  }
  return 0;
}

// "cxl:///payments: the connection to the server with pid=4711,uid=1000".
std::string ConnectionText(const ConnectionTerms& terms) {
  return absl::StrCat("cxl:///", terms.name.str(), ": the connection to ",
                      terms.side == Link::Side::kClient ? "the server" : "a client", " with ",
                      WithoutSeal(terms.peer_identity));
}

std::string BeginText(const ConnectionTerms& terms) {
  return absl::StrCat(
      ConnectionText(terms), " is made, through memory; trust: ", TrustText(terms.trust),
      IsTrustedWithMemory(terms.trust) ? " (large messages are parsed where they lie)"
                                       : " (messages are copied before they are parsed)",
      "; rings of ", terms.sizes.ring_bytes, " bytes, blocks of ", terms.sizes.payload_bytes, ", ",
      terms.sizes.call_bytes == 0 ? "no direct calls" : "direct calls");
}

StatusConnection IdentityOf(const ConnectionTerms& terms) {
  StatusConnection entry{};
  entry.start_time = static_cast<uint64_t>(absl::GetCurrentTimeNanos());
  entry.side = terms.side == Link::Side::kClient ? 1 : 0;
  entry.trust = static_cast<uint32_t>(terms.trust);
  entry.peer_pid = NumberIn(terms.peer_identity, "pid=");
  entry.peer_uid = NumberIn(terms.peer_identity, "uid=");
  SetText(entry.name, terms.name.str());
  SetText(entry.rollout, terms.settings.directory.rollout);
  return entry;
}

// On the status page and in the log.
void Show(const std::shared_ptr<EndpointCore>& core, const ConnectionTerms& terms) {
  StatusTable::OfProcess().AddConnection(IdentityOf(terms), core);
  ShowStatus(terms.settings);
  LogConnection(terms.settings, [&] { return BeginText(terms); });
  core->OnEnd([settings = terms.settings, connection = ConnectionText(terms),
               weak = std::weak_ptr<EndpointCore>(core)](const absl::Status& reason) {
    LogConnection(settings, [&] {
      StatusConnection figures{};
      if (const auto self = weak.lock()) self->FillStatus(&figures);
      return absl::StrCat(connection, " has ended: ", reason.message(), "; it has carried ",
                          figures.calls, " direct calls, ", figures.writes, " writes and ",
                          figures.reads, " reads");
    });
  });
}

}  // namespace

absl::StatusOr<std::shared_ptr<EndpointCore>> AssembleCore(
    LinkParts parts, const ConnectionTerms& terms, std::shared_ptr<EventEngine> executor,
    std::function<std::unique_ptr<LinkUser>(Link*)> make_user) {
  parts.arena.KeepFromChildren();
  parts.options.trust_peer = IsTrustedWithMemory(terms.trust);
  absl::StatusOr<std::unique_ptr<Link>> link =
      Link::Create(terms.side, std::move(parts.arena), std::move(parts.socket), terms.sizes,
                   std::move(parts.options));
  if (!link.ok()) return link.status();
  if (terms.sizes.call_bytes > 0) {
    if (absl::Status status =
            (*link)->pages().Reserve((*link)->call_area().subspan(0, kCallWordsBytes));
        !status.ok()) {
      return status;
    }
  }
  EnterPool(terms.pool_key, (*link)->pool());
  std::unique_ptr<LinkUser> user;
  if (terms.sizes.call_bytes > 0) user = make_user(link->get());
  LinkUser* const raw_user = user.get();
  auto core =
      std::make_shared<EndpointCore>(*std::move(link), terms.settings.wait(), std::move(executor),
                                     IsTrustedWithMemory(terms.trust), std::move(user));
  if (raw_user != nullptr) raw_user->Start(core);
  if (parts.bond != nullptr) parts.bond->Bind(core);
  return core;
}

std::unique_ptr<Endpoint> StartEndpoint(std::shared_ptr<EndpointCore> core,
                                        const ConnectionTerms& terms, Poller* poller) {
  if (!terms.is_probe) Show(core, terms);
  return std::make_unique<Endpoint>(std::move(core), poller, LocalAddress(terms.name),
                                    PeerAddress(terms.name, terms.peer_identity));
}

}  // namespace grpc_cxl::internal
