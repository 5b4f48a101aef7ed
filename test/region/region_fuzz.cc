// SPDX-License-Identifier: Apache-2.0

// Fuzzes the directory of a region, all of which every host can overwrite at any moment: a
// server and a client go on using it. Every step ends, OK or with a status; no arena lies outside
// of its host's memory.

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/region/dead_processes.h"
#include "grpc_cxl/region/membership.h"
#include "grpc_cxl/region/peer_lease.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_allocator.h"
#include "grpc_cxl/region/region_entries.h"
#include "test/fuzz/fuzz_input.h"

namespace grpc_cxl::internal {
namespace {

constexpr uint64_t kBytes = 1 << 20;

// A region in memory, the same for all inputs.
struct Image {
  Image() : fd(memfd_create("region", MFD_CLOEXEC)), path(absl::StrCat("/proc/self/fd/", fd)) {
    CHECK_OK(FormatRegion(path, {.hosts = 2, .bytes = kBytes}));
    bytes = static_cast<char*>(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    PCHECK(bytes != MAP_FAILED);
    formatted.assign(bytes, MemoryBegin(2, kPageBytes));
  }
  void Restore() { memcpy(bytes, formatted.data(), formatted.size()); }

  const int fd;
  const std::string path;
  char* bytes;
  std::string formatted;  // the directory
};

// Overwrites a word near the entries that are in use.
void Damage(FuzzInput& input, char* bytes) {
  constexpr size_t kPlaces[] = {
      0,
      ControlOffset(0),
      ControlOffset(0) + offsetof(HostControl, processes),
      ControlOffset(0) + offsetof(HostControl, names),
      ControlOffset(0) + offsetof(HostControl, requests),
      ControlOffset(0) + offsetof(HostControl, answers),
      ControlOffset(1),
      ControlOffset(1) + offsetof(HostControl, processes),
      ControlOffset(1) + offsetof(HostControl, names),
      ControlOffset(1) + offsetof(HostControl, requests),
      ControlOffset(1) + offsetof(HostControl, answers),
  };
  const size_t place = kPlaces[input.TakeUpTo(std::size(kPlaces) - 1)] + input.TakeUpTo(127) * 4;
  uint32_t word;
  memcpy(&word, bytes + place, sizeof(word));
  word = static_cast<uint32_t>(input.TakeWord(word));
  memcpy(bytes + place, &word, sizeof(word));
}

void LookAtAll(const std::shared_ptr<Region>& region) {
  for (uint32_t host = 0; host < region->hosts(); ++host) {
    for (uint32_t i = 0; i < 4; ++i) {
      ReadProcess(*region, host, i);
      if (const auto name = ReadName(*region, host, i)) {
        CHECK_LE(name->text.size(), 80u);
        PeerLease(region, {}, name->owner).Expired();
      }
      ReadRequest(*region, host, i);
      const auto answer = ReadAnswer(*region, host, i);
      if (!answer.has_value()) continue;
      const absl::StatusOr<Arena> arena = region->MapMemory(host, answer->offset, answer->bytes);
      if (!arena.ok()) continue;
      CHECK_GE(answer->offset, region->memory_begin(host));
      CHECK_LE(answer->offset + answer->bytes,
               region->memory_begin(host) + region->memory_per_host());
      volatile char last = arena->data()[arena->size() - 1];  // it is there
      static_cast<void>(last);
    }
  }
}

}  // namespace
}  // namespace grpc_cxl::internal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace grpc_cxl::internal;  // NOLINT: the entry point is C's
  static Image* const image = new Image;
  image->Restore();
  FuzzInput input(data, size);
  std::shared_ptr<Region> region = *Region::Open({.path = image->path, .host = 0, .model = {}});
  auto membership = Membership::Join(region);
  CHECK_OK(membership.status());
  {
    const Region::HostLock lock(*region);
    NameRecord name{.id = 0, .owner = (*membership)->self(), .text = "a/name"};
    WriteName(*region, 0, name);
    RequestRecord request{.id = 0, .state = RequestState::kOpen, .owner = (*membership)->self()};
    WriteRequest(*region, 0, request);
  }
  while (!input.empty()) {
    Damage(input, image->bytes);
    switch (input.TakeUpTo(4)) {
      case 0: {
        const auto other = Region::Open({.path = image->path, .host = 1, .model = {}});
        if (other.ok()) LookAtAll(*other);
        break;
      }
      case 1: {
        const Region::HostLock lock(*region);
        AnswerRecord answer;
        const auto index = ReserveMemory(*region, input.TakeUpTo(kBytes), answer);
        if (index.ok()) {
          CHECK_LT(*index, kHostAnswers);
          CHECK_OK(region->CheckMemory(0, answer.offset, answer.bytes));
        }
        break;
      }
      case 2: {
        const Region::HostLock lock(*region);
        ClearUpAfterTheDead(*region, &(*membership)->self());
        break;
      }
      case 3:
        (*membership)->Renew();
        break;
      case 4:
        LookAtAll(region);
        break;
    }
  }
  return 0;
}
