// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/arrivals.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "absl/base/no_destructor.h"
#include "absl/log/log.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace grpc_cxl::internal {
namespace {

// A name appears shortly before its server accepts; and however many appear, they are looked at
// this often.
constexpr auto kSettle = std::chrono::milliseconds(20);

// Between looks at a directory that cannot be watched.
constexpr auto kUnwatched = std::chrono::seconds(2);

constexpr absl::string_view kFilePrefix = "unix=";

struct Table {
  absl::Mutex mu;
  std::vector<std::pair<DirectoryCandidates, std::weak_ptr<Arrivals>>> all ABSL_GUARDED_BY(mu);
};

}  // namespace

// The watch of one opened directory.
class Arrivals::Watched final : public Pollable {
 public:
  Watched(std::weak_ptr<Arrivals> owner, const RendezvousDirectory& directory)
      : watch(directory), owner_(std::move(owner)) {}

  int fd() const override { return watch.fd(); }
  void OnFdReadable() override {
    if (const std::shared_ptr<Arrivals> owner = owner_.lock()) owner->OnReadable();
  }

  DirectoryWatch watch;  // used under the owner's lock

 private:
  const std::weak_ptr<Arrivals> owner_;
};

std::shared_ptr<Arrivals> Arrivals::Of(const DirectoryCandidates& directory,
                                       std::shared_ptr<EventEngine> executor, Poller* poller) {
  static absl::NoDestructor<Table> table;
  absl::MutexLock lock(table->mu);
  std::erase_if(table->all, [](const auto& entry) { return entry.second.expired(); });
  for (const auto& [its_directory, weak] : table->all) {
    if (!(its_directory == directory)) continue;
    if (std::shared_ptr<Arrivals> found = weak.lock()) return found;
  }
  std::shared_ptr<Arrivals> made(new Arrivals(directory, std::move(executor), poller));
  table->all.emplace_back(directory, made);
  made->Watch();  // before anybody else has it
  return made;
}

Arrivals::Arrivals(const DirectoryCandidates& directory, std::shared_ptr<EventEngine> executor,
                   Poller* poller)
    : directory_(directory), executor_(std::move(executor)), poller_(poller) {}

Arrivals::~Arrivals() {
  absl::MutexLock lock(mu_);
  if (watched_ != nullptr) poller_->Remove(watched_.get());
}

void Arrivals::Add(const std::shared_ptr<Waiter>& waiter, const std::vector<std::string>& stems) {
  absl::MutexLock lock(mu_);
  std::erase_if(waiters_, [&waiter](const auto& entry) {
    const std::shared_ptr<Waiter> other = entry.second.lock();
    return other == nullptr || other == waiter;
  });
  for (const std::string& stem : stems) {
    waiters_.emplace(absl::StartsWith(stem, kFilePrefix) ? std::string(kFilePrefix) : stem, waiter);
  }
}

void Arrivals::Watch() {
  std::shared_ptr<Watched> watched;
  const absl::StatusOr<RendezvousDirectory> directory = RendezvousDirectory::Find(directory_);
  if (directory.ok()) {
    watched = std::make_shared<Watched>(weak_from_this(), *directory);
    if (watched->fd() < 0 || !poller_->Add(watched)) {
      LOG_FIRST_N(WARNING, 1) << "servers that appear on this host are found some seconds later: "
                              << (watched->fd() < 0 ? watched->watch.problem()
                                                    : "this user has no epoll watch left; raise "
                                                      "fs.epoll.max_user_watches");
      watched = nullptr;
    }
  }
  {
    absl::MutexLock lock(mu_);
    watched_ = watched;
  }
  if (watched == nullptr) WatchLater();
}

void Arrivals::WatchLater() {
  executor_->RunAfter(kUnwatched, [weak = weak_from_this()] {
    const std::shared_ptr<Arrivals> self = weak.lock();
    if (self == nullptr) return;
    self->Watch();
    self->Report(/*all=*/true);  // what came before the watch
  });
}

void Arrivals::OnReadable() {
  {
    absl::MutexLock lock(mu_);
    if (std::exchange(reporting_, true)) return;
  }
  executor_->RunAfter(kSettle, [weak = weak_from_this()] {
    if (const std::shared_ptr<Arrivals> self = weak.lock()) self->Report(/*all=*/false);
  });
}

void Arrivals::Report(bool all) {
  std::set<std::shared_ptr<Waiter>> waiters;
  bool over = false;
  {
    absl::MutexLock lock(mu_);
    reporting_ = false;
    DirectoryWatch::Changes changes;
    if (watched_ != nullptr) changes = watched_->watch.Take();
    over = changes.over;
    if (over) poller_->Remove(std::exchange(watched_, nullptr).get());
    for (const auto& [stem, weak] : waiters_) {
      const auto found = changes.stems.lower_bound(stem);
      const bool appeared = found != changes.stems.end() &&
                            (*found == stem || (stem.ends_with('=') && found->starts_with(stem)));
      if (!all && !changes.lost && !over && !appeared) continue;
      if (std::shared_ptr<Waiter> waiter = weak.lock()) waiters.insert(std::move(waiter));
    }
  }
  if (over) Watch();
  for (const std::shared_ptr<Waiter>& waiter : waiters) waiter->OnArrival();
}

}  // namespace grpc_cxl::internal
