// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_ARENA_CHOICE_H_
#define GRPC_CXL_EVENT_ENGINE_ARENA_CHOICE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <variant>

#include "grpc_cxl/event_engine/connection_budget.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/link/link_layout.h"

namespace grpc_cxl::internal {

// The arena of a new connection, and its share of the budget.
struct ArenaChoice {
  LinkSizes sizes;
  size_t arena_bytes;
  size_t call_areas;  // 0: no direct calls
  bool streams;       // an area of streams behind these
  std::shared_ptr<ConnectionBudget::Lease> lease;
};

// Chooses an arena as the settings want it while the budget has room, and smaller ones as it fills
// up:
//
//   budget in use up to   the client may lend    rings, call area
//   1/4                   all of its payload     as in the settings
//   1/2                   256 KiB; more if free  as in the settings
//   all                   nothing                16 KiB, none
//
// `features`: of client and server. `on_use`: pages take memory when they
// are reserved; else an arena is on the account as a whole.
std::variant<ArenaChoice, ConnectionBudget::Refused> ChooseArena(const ServerSettings& settings,
                                                                 uint32_t features, bool on_use,
                                                                 ConnectionBudget& budget,
                                                                 const std::string& quota);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_ARENA_CHOICE_H_
