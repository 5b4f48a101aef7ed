#include "grpc_cxl/coherence/checker.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/base/no_destructor.h"
#include "absl/log/check.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/coherence/cache_lines.h"

namespace grpc_cxl::internal {
namespace {

constexpr int kNone = -1;
constexpr size_t kWords = kLineBytes / sizeof(uint64_t);

// What the tests want of all checkers.
struct Wishes {
  std::atomic<int> dropped{kNone};
  std::atomic<int> hooked{kNone};
  std::function<void()> hook;

  Wishes() {
    const char* const name = std::getenv("GRPC_CXL_DROP_FLUSH");
    if (name == nullptr) return;
    for (size_t i = 0; i < kSites; ++i) {
      if (absl::string_view(kSiteNames[i]) == name) dropped = static_cast<int>(i);
    }
    CHECK_NE(dropped, kNone) << "GRPC_CXL_DROP_FLUSH is \"" << name << "\", which is no site";
  }
};

Wishes& TheWishes() {
  static absl::NoDestructor<Wishes> wishes;
  return *wishes;
}

// False when it is to be left out.
bool Wanted(Site site) {
  const Wishes& wishes = TheWishes();
  if (wishes.hooked.load(std::memory_order_relaxed) == static_cast<int>(site)) wishes.hook();
  return wishes.dropped.load(std::memory_order_relaxed) != static_cast<int>(site);
}

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
void Checker::ForEachLine(Site site, const void* begin, size_t bytes, Writer writer, Move move) {
  if (!Wanted(site)) return;
  const size_t first = (static_cast<const char*>(begin) - copy_.data()) / kLineBytes;
  const size_t last = (static_cast<const char*>(begin) + bytes - 1 - copy_.data()) / kLineBytes;
  CHECK(first <= last && last < copy_.size() / kLineBytes)
      << kSiteNames[static_cast<int>(site)] << ": not in the memory that is checked";
  absl::MutexLock lock(mu_);
  for (size_t line = first; line <= last; ++line) {
    Writer& known = writers_[line];
    CHECK(known == Writer::kUnknown || known == writer)
        << kSiteNames[static_cast<int>(site)] << ": line " << line << " has two writers";
    known = writer;
    move(line * kLineBytes);
  }
}

// Words go down here and up there, so that whoever sees a line's first word has the others
// (rule 3 of SharedView). release and acquire pair with each other through the image.
void Checker::WriteBack(Site site, const void* begin, size_t bytes) {
  ForEachLine(site, begin, bytes, Writer::kThisSide, [this](size_t at) {
    for (size_t i = kWords; i-- > 0;) {
      WordsOf(image_.data() + at)[i].store(
          WordsOf(copy_.data() + at)[i].load(std::memory_order_relaxed), std::memory_order_release);
    }
  });
}

void Checker::Invalidate(Site site, const void* begin, size_t bytes) {
  ForEachLine(site, begin, bytes, Writer::kOtherSide, [this](size_t at) {
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

void Checker::DropSite(Site site) { TheWishes().dropped = static_cast<int>(site); }

void Checker::SetHook(Site site, std::function<void()> hook) {
  Wishes& wishes = TheWishes();
  wishes.hooked = hook ? static_cast<int>(site) : kNone;
  wishes.hook = std::move(hook);
}

}  // namespace grpc_cxl::internal
