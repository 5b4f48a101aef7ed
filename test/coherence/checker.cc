// SPDX-License-Identifier: Apache-2.0
#include "test/coherence/checker.h"

#include <atomic>
#include <utility>

#include "absl/base/no_destructor.h"
#include "absl/log/check.h"
#include "grpc_cxl/coherence/cache_lines.h"
#include "test/coherence/checked_sites.h"

namespace grpc_cxl::internal {
namespace {

struct Hook {
  std::atomic<const void*> word{nullptr};
  std::function<void()> call;
};

Hook& TheHook() {
  static absl::NoDestructor<Hook> hook;
  return *hook;
}

const bool installed = [] {
  PrivateCopy::SetFactory(
      [](absl::Span<char> memory, std::optional<uint32_t> machine) -> std::unique_ptr<PrivateCopy> {
        return std::make_unique<Checker>(memory, machine);
      });
  return true;
}();

}  // namespace

Checker::Checker(absl::Span<char> image, std::optional<uint32_t> machine)
    : cache_(HostCache::Of(image, machine, &offset_)),
      bytes_(cache_->bytes().subspan(offset_, image.size())),
      writers_(new Writer[image.size() / kLineBytes]()) {
  CHECK(offset_ % kLineBytes == 0 && image.size() % kLineBytes == 0)
      << "an image of " << image.size() << " bytes";
}

void Checker::MoveLines(const void* begin, size_t bytes, Writer writer, Site site, Move move) {
  if (!ReachSite(site)) return;
  const size_t at = static_cast<const char*>(begin) - bytes_.data();
  const size_t first = at / kLineBytes, last = (at + bytes - 1) / kLineBytes;
  CHECK(first <= last && last < bytes_.size() / kLineBytes)
      << SiteName(site) << ": not in the memory that is checked";
  const HostCache::Lock lock(*cache_);
  for (size_t line = first; line <= last; ++line) {
    Writer& known = writers_[line];
    CHECK(writer == Writer::kUnknown || known == Writer::kUnknown || known == writer)
        << SiteName(site) << ": line " << line << " has two writers";
    known = writer;
  }
  const size_t skipped = offset_ / kLineBytes;
  cache_->Act();
  ((*cache_).*move)(skipped + first, skipped + last);
  cache_->Act();
}

void Checker::WriteBack(const void* begin, size_t bytes, Site site) {
  if (TheHook().word.load(std::memory_order_relaxed) == begin) {
    const std::function<void()> hook = TheHook().call;  // it may set another
    hook();
  }
  MoveLines(begin, bytes, Writer::kThisSide, site, &HostCache::WriteBack);
}

void Checker::Invalidate(const void* begin, size_t bytes, Site site) {
  MoveLines(begin, bytes, Writer::kOtherSide, site, &HostCache::Flush);
}

void Checker::Flush(const void* begin, size_t bytes, Site site) {
  MoveLines(begin, bytes, Writer::kUnknown, site, &HostCache::Flush);
}

void Checker::DropSite(const std::string& site) { internal::DropSite(site); }

void Checker::SetHook(const void* word, std::function<void()> hook) {
  TheHook().word = hook ? word : nullptr;
  TheHook().call = std::move(hook);
}

}  // namespace grpc_cxl::internal
