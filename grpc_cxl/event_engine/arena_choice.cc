// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/arena_choice.h"

#include <algorithm>
#include <utility>

#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/rendezvous/handshake_layout.h"
#include "grpc_cxl/streams/stream_layout.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kSmallestRingBytes = 16 << 10;
constexpr size_t kModestPages = 64;
constexpr double kFullPart = 0.25;

}  // namespace

std::variant<ArenaChoice, ConnectionBudget::Refused> ChooseArena(const ServerSettings& settings,
                                                                 uint32_t features, bool on_use,
                                                                 ConnectionBudget& budget,
                                                                 const std::string& quota) {
  // More areas than one only where the others take no memory until they are opened.
  const size_t area_bytes = CallAreaBytes(settings.call_buffer_bytes);
  const size_t areas = (features & kDirectCalls) == 0 ? 0
                       : on_use && (features & kMoreCallAreas) != 0
                           ? CallAreas(settings.call_buffer_bytes)
                           : 1;
  // Its rings are granted one by one, so that they take no memory before.
  const bool streams =
      areas > 0 && on_use && settings.direct_streams && (features & kDirectStreams) != 0;
  const size_t stream_bytes = streams ? kStreamAreaBytes : 0;
  const LinkSizes full{
      .ring_bytes = settings.ring_bytes,
      .payload_bytes = settings.payload_bytes,
      .call_bytes = areas * area_bytes + stream_bytes,
      .granted_pages = AreaPages(settings.payload_bytes),
  };
  LinkSizes modest = full;
  modest.granted_pages = std::min(kModestPages, full.granted_pages);
  const LinkSizes smallest{.ring_bytes = std::min(kSmallestRingBytes, settings.ring_bytes),
                           .granted_pages = 0};

  const auto take = [&](const LinkSizes& sizes,
                        double part) -> std::variant<ArenaChoice, ConnectionBudget::Refused> {
    const size_t needed = ArenaBytes(sizes);
    const size_t arena_bytes =
        sizes.ring_bytes == full.ring_bytes ? std::max(settings.arena_bytes, needed) : needed;
    const size_t call_areas = sizes.call_bytes > 0 ? areas : 0;
    const size_t closed = call_areas > 0 ? (call_areas - 1) * area_bytes + stream_bytes : 0;
    const size_t account =
        on_use ? needed - 2 * sizes.payload_bytes + sizes.granted_pages * kPageBytes - closed
               : arena_bytes;
    auto lease = budget.Take(account, quota, part);
    if (auto* refused = std::get_if<ConnectionBudget::Refused>(&lease)) return *std::move(refused);
    return ArenaChoice{
        .sizes = sizes,
        .arena_bytes = arena_bytes,
        .call_areas = call_areas,
        .streams = call_areas > 0 && streams,
        .lease = std::make_shared<ConnectionBudget::Lease>(std::get<0>(std::move(lease)))};
  };

  auto choice = take(full, on_use ? kFullPart : 1);
  if (choice.index() == 1 && on_use) choice = take(modest, ConnectionBudget::kGrowthPart);
  if (choice.index() == 1) choice = take(smallest, 1);
  return choice;
}

}  // namespace grpc_cxl::internal
