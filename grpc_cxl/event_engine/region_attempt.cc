// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/region_attempt.h"

#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/coherence/memory_model.h"
#include "grpc_cxl/event_engine/region_client_source.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/name_files.h"
#include "grpc_cxl/rendezvous/peer_text.h"

namespace grpc_cxl::internal {

void RegionAttempt::Start(const RegionOptions& options, EventEngine::Duration timeout) {
  const std::string& rollout = request().settings.directory.rollout;
  if (absl::Status status = CheckLength(request().name, rollout); !status.ok()) {
    return Finish(std::move(status));
  }
  absl::StatusOr<std::shared_ptr<RegionNode>> node = RegionNode::Get(options);
  if (!node.ok()) return Finish(node.status());
  const auto on_done = [self = shared_from_this()](absl::StatusOr<RegionOffer> offer) {
    // Not on the region's thread, which must not wait for gRPC.
    self->request().executor->Run([self, offer = std::move(offer)]() mutable {
      self->Finish(offer.ok() ? self->Open(*std::move(offer)) : offer.status());
    });
  };
  const uint64_t attempt =
      (*node)->Connect(NameInRollout(request().name, rollout), request().features(), on_done);
  WaitWith(
      request().executor->RunAfter(timeout, [self = shared_from_this(), node = *node, attempt] {
        if (node->Cancel(attempt)) self->Finish(self->TooLate());
      }));
}

ConnectAttempt::Result RegionAttempt::Open(RegionOffer made) {
  const AnswerRecord& answer = made.answer;
  if (made.connection == nullptr) return RefusalStatus(answer.refusal, answer.reason);
  if (answer.coherence > static_cast<uint32_t>(Coherence::kFlush)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the server announces coherence ", answer.coherence,
                     ", which this client does not know; update both to one version of grpc_cxl"));
  }
  const ChannelSettings& settings = request().settings;
  absl::StatusOr<MemoryModel> memory = MakeMemoryModel(static_cast<Coherence>(answer.coherence),
                                                       settings.distance, settings.check_flushes);
  if (!memory.ok()) return memory.status();
  memory->machine = settings.region->WithMachine().model.machine;
  const ArenaOffer offer{.arena_bytes = answer.bytes,
                         .ring_bytes = answer.ring_bytes,
                         .payload_bytes = answer.payload_bytes,
                         .call_buffer_bytes = answer.call_buffer_bytes,
                         .granted_pages = static_cast<uint32_t>(AreaPages(answer.payload_bytes)),
                         .features = answer.features};
  // Every process that maps the region can change the blocks.
  return request().Open({.arena = *std::move(made.arena),
                         .socket = UniqueFd(),
                         .options = {.memory = *memory,
                                     .polls = true,
                                     .liveness = LivenessOf(made.connection),
                                     .lease = made.connection,
                                     .fence = made.connection->fence()}},
                        offer,
                        RegionPeerText(made.connection->peer_host(), made.connection->peer_pid()),
                        PeerTrust::kStranger);
}

}  // namespace grpc_cxl::internal
