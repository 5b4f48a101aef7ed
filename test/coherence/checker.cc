// SPDX-License-Identifier: Apache-2.0
#include "test/coherence/checker.h"

#include <sys/mman.h>

#include <atomic>
#include <utility>

#include "absl/base/no_destructor.h"
#include "absl/log/check.h"
#include "grpc_cxl/coherence/cache_lines.h"
#include "test/coherence/checked_sites.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kWords = kLineBytes / sizeof(uint64_t);

struct Hook {
  std::atomic<const void*> word{nullptr};
  std::function<void()> call;
};

Hook& TheHook() {
  static absl::NoDestructor<Hook> hook;
  return *hook;
}

const bool installed = [] {
  PrivateCopy::SetFactory([](absl::Span<char> memory) -> std::unique_ptr<PrivateCopy> {
    return std::make_unique<Checker>(memory);
  });
  return true;
}();

std::atomic<uint64_t>* WordsOf(char* line) {
  return reinterpret_cast<std::atomic<uint64_t>*>(line);
}

char* MapCopy(absl::Span<char> image) {
  void* const copy = mmap(nullptr, image.size(), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  PCHECK(copy != MAP_FAILED) << "no memory for a private copy of " << image.size() << " bytes";
  return static_cast<char*>(copy);
}

}  // namespace

Checker::Checker(absl::Span<char> image)
    : image_(image),
      copy_(MapCopy(image), image.size()),
      writers_(new Writer[image.size() / kLineBytes]()) {
  CHECK(image.size() % kLineBytes == 0) << "an image of " << image.size() << " bytes";
  for (size_t at = 0; at < image.size(); at += sizeof(uint64_t)) {
    // acquire: what the image holds was written back, see below.
    const uint64_t word = WordsOf(image.data() + at)->load(std::memory_order_acquire);
    // Pages without content are not touched: the copy is as large as the arena.
    if (word != 0) WordsOf(copy_.data() + at)->store(word, std::memory_order_relaxed);
  }
}

Checker::~Checker() { munmap(copy_.data(), copy_.size()); }

template <typename Move>
void Checker::ForEachLine(const void* begin, size_t bytes, Writer writer, Site site, Move move) {
  if (!ReachSite(site)) return;
  const size_t first = (static_cast<const char*>(begin) - copy_.data()) / kLineBytes;
  const size_t last = (static_cast<const char*>(begin) + bytes - 1 - copy_.data()) / kLineBytes;
  CHECK(first <= last && last < copy_.size() / kLineBytes)
      << SiteName(site) << ": not in the memory that is checked";
  absl::MutexLock lock(mu_);
  for (size_t line = first; line <= last; ++line) {
    Writer& known = writers_[line];
    CHECK(known == Writer::kUnknown || known == writer)
        << SiteName(site) << ": line " << line << " has two writers";
    known = writer;
    move(line * kLineBytes);
  }
}

// Words go down here and up there, so that a side that sees a line's first word has the others
// (rule 3 of SharedView). release and acquire pair with each other through the image.
void Checker::WriteBack(const void* begin, size_t bytes, Site site) {
  if (TheHook().word.load(std::memory_order_relaxed) == begin) TheHook().call();
  ForEachLine(begin, bytes, Writer::kThisSide, site, [this](size_t at) {
    for (size_t i = kWords; i-- > 0;) {
      WordsOf(image_.data() + at)[i].store(
          WordsOf(copy_.data() + at)[i].load(std::memory_order_relaxed), std::memory_order_release);
    }
  });
}

void Checker::Invalidate(const void* begin, size_t bytes, Site site) {
  ForEachLine(begin, bytes, Writer::kOtherSide, site, [this](size_t at) {
    for (size_t i = 0; i < kWords; ++i) {
      const uint64_t word = WordsOf(image_.data() + at)[i].load(std::memory_order_acquire);
      std::atomic<uint64_t>& mine = WordsOf(copy_.data() + at)[i];
      // Other threads may read bytes of this line that have not changed.
      if (mine.load(std::memory_order_relaxed) != word) {
        mine.store(word, std::memory_order_relaxed);
      }
    }
  });
}

void Checker::DropSite(const std::string& site) { internal::DropSite(site); }

void Checker::SetHook(const void* word, std::function<void()> hook) {
  TheHook().word = hook ? word : nullptr;
  TheHook().call = std::move(hook);
}

}  // namespace grpc_cxl::internal
