// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_REGION_REGION_CONNECTOR_H_
#define GRPC_CXL_REGION_REGION_CONNECTOR_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_beat.h"
#include "grpc_cxl/region/region_connection.h"
#include "grpc_cxl/region/region_entries.h"
#include "grpc_cxl/region/region_servers.h"

namespace grpc_cxl::internal {

// Connects to names: finds a name's server, asks it, and looks for its answer. Its twins are other
// processes' RegionListener and RegionAnswers. Thread-safe.
class RegionConnector {
 public:
  // An offer without a connection is a refusal, with the reason in its answer.
  using OnDone = absl::AnyInvocable<void(absl::StatusOr<RegionOffer>)>;

  RegionConnector(std::shared_ptr<const Region> region, const RegionBeat& beat);
  // Frees the requests of attempts under way; their `on_done` is not called. REQUIRES: the looking
  // thread has ended.
  ~RegionConnector();

  // Asks the server of `name` for a connection. `on_done` is called once, unless Cancel() was
  // first; with UNAVAILABLE when no process serves the name or its server has died. Returns a
  // number for Cancel(); 0 when `on_done` has been called with an error.
  uint64_t Connect(const std::string& name, uint32_t features, OnDone on_done);
  // True when `on_done` will not be called. False when it has been called, or will be as soon as
  // the memory of an answer is mapped.
  bool Cancel(uint64_t attempt);

  bool IsConnecting();

  // Calls `on_done`, without locks, of every attempt that has an answer or an error, and frees the
  // requests of cancelled ones. Connections hold `keep`, which keeps this object alive. Returns
  // whether an attempt has ended. Always from the same thread.
  bool LookForAnswers(const std::weak_ptr<void>& keep);

 private:
  struct Attempt {
    uint32_t index;  // of its RequestEntry
    uint64_t id;
    RegionServer server;
    uint64_t answers_seen;
    OnDone on_done;
  };
  struct Answer {
    uint32_t index;
    AnswerRecord record;
  };

  absl::StatusOr<std::shared_ptr<Attempt>> Ask(const RegionServer& server, uint32_t features);
  // Nothing while there is neither an answer nor an error.
  std::optional<absl::StatusOr<Answer>> FindAnswer(Attempt& attempt);
  absl::StatusOr<RegionOffer> Open(const Attempt& attempt, const Answer& answer,
                                   const std::weak_ptr<void>& keep);
  // No effect when the entry is another request's by now.
  void FreeRequest(uint32_t index, uint64_t id);

  const std::shared_ptr<const Region> region_;
  const RegionBeat& beat_;
  RegionServers servers_;

  absl::Mutex mu_;  // no HostLock is taken with it held
  uint64_t next_number_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<uint64_t, std::shared_ptr<Attempt>> attempts_ ABSL_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<Attempt>> cancelled_ ABSL_GUARDED_BY(mu_);  // requests to be freed
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_REGION_CONNECTOR_H_
