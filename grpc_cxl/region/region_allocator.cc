// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/region/region_allocator.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace grpc_cxl::internal {
namespace {

struct Part {
  uint64_t begin, bytes;
};

template <typename Entry, size_t kEntries>
uint32_t FindFree(const Entry (&entries)[kEntries]) {
  uint32_t i = 0;
  // Matched by the stores that write and free entries; under the HostLock.
  while (i < kEntries && entries[i].id.load(std::memory_order_acquire) != 0) ++i;
  return i;
}

}  // namespace

uint32_t FindFreeRequest(const Region& region) { return FindFree(region.mine().requests); }
uint32_t FindFreeName(const Region& region) { return FindFree(region.mine().names); }
uint32_t FindFreeAnswer(const Region& region) { return FindFree(region.mine().answers); }

absl::StatusOr<uint32_t> ReserveMemory(const Region& region, size_t bytes, AnswerRecord& record) {
  const uint32_t entry = FindFreeAnswer(region);
  if (entry == kHostAnswers) {
    return absl::ResourceExhaustedError(
        absl::StrCat("host ", region.host(), " of the region \"", region.path(), "\" serves ",
                     kHostAnswers, " connections already, and cannot serve more"));
  }
  std::vector<Part> used;
  uint64_t used_bytes = 0, closed_bytes = 0;
  uint32_t closed_to = 0;  // a host
  for (uint32_t i = 0; i < kHostAnswers; ++i) {
    const std::optional<AnswerRecord> answer = ReadAnswer(region, region.host(), i);
    // Matched as above.
    if (!answer.has_value() && region.mine().answers[i].id.load(std::memory_order_acquire) != 0) {
      return absl::UnavailableError(absl::StrCat("an entry of host ", region.host(),
                                                 " in the region \"", region.path(),
                                                 "\" is damaged, and what memory is free is not "
                                                 "known; it is mended at once if its process "
                                                 "lives, else when all processes of the host have "
                                                 "ended and the first of them joins anew"));
    }
    if (!answer.has_value() || answer->bytes == 0) continue;
    if (absl::Status status = region.CheckMemory(region.host(), answer->offset, answer->bytes);
        !status.ok()) {
      return absl::DataLossError(status.message());
    }
    used.push_back({answer->offset, answer->bytes});
    used_bytes += answer->bytes;
    if (answer->state == AnswerState::kClosed) {
      closed_bytes += answer->bytes;
      closed_to = answer->to_host;
    }
  }
  std::sort(used.begin(), used.end(),
            [](const Part& a, const Part& b) { return a.begin < b.begin; });
  const uint64_t total = region.memory_per_host();
  const uint64_t end = region.memory_begin(region.host()) + total;
  used.push_back({end, 0});
  uint64_t free_from = region.memory_begin(region.host());
  uint64_t largest = 0;
  std::optional<uint64_t> place;
  // Sizes beyond the host's memory are not rounded, which could overflow.
  const uint64_t wanted = bytes > total ? total + region.granule()
                                        : RoundUp(std::max<uint64_t>(bytes, 1), region.granule());
  for (const Part& part : used) {
    if (part.begin < free_from) {
      return absl::DataLossError(
          absl::StrCat("the directory of host ", region.host(), " in the region \"", region.path(),
                       "\" is corrupt: two connections have the memory at ", part.begin,
                       "; stop all that use the region and format it anew"));
    }
    largest = std::max(largest, part.begin - free_from);
    if (!place.has_value() && part.begin - free_from >= wanted) place = free_from;
    free_from = part.begin + part.bytes;
  }
  if (!place.has_value()) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the region \"", region.path(), "\" is full: a connection wants ", bytes, " bytes, but of ",
        total, " that host ", region.host(), " has, ", used.size() - 1, " connections have ",
        used_bytes, ", and the largest free part is ", largest,
        "; make the region larger or ring_bytes and payload_bytes smaller",
        closed_bytes == 0 ? ""
                          : absl::StrCat(". ", closed_bytes,
                                         " bytes are of ended connections that their clients, "
                                         "such as one on host ",
                                         closed_to,
                                         ", have not given back: if its machine is off, run "
                                         "cxl_region clear ",
                                         region.path(), " --host=", closed_to)));
  }
  record.state = AnswerState::kReserved;
  record.offset = *place;
  record.bytes = wanted;
  WriteAnswer(region, entry, record);
  return entry;
}

}  // namespace grpc_cxl::internal
