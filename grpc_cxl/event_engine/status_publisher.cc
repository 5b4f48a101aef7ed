// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/status_publisher.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/log/log.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/event_engine/status_snapshot.h"
#include "grpc_cxl/rendezvous/name_files.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "grpc_cxl/status/status_file.h"

namespace grpc_cxl::internal {
namespace {

constexpr absl::Duration kInterval = absl::Seconds(1);
// Between two looks, however many connections come.
constexpr absl::Duration kLeastPause = absl::Milliseconds(50);
constexpr absl::Duration kRetry = absl::Seconds(10);
constexpr absl::Duration kSweepInterval = absl::Minutes(1);
constexpr int kMostDead = 1000;  // files to look at, at a time

class Publisher {
 public:
  explicit Publisher(const DirectoryCandidates& candidates) : candidates_(candidates) {}

  void Run() {
    for (;;) {
      Publish();
      absl::SleepFor(kLeastPause);
      absl::MutexLock lock(mu_);
      mu_.AwaitWithTimeout(absl::Condition(&poked_), kInterval - kLeastPause);
      poked_ = false;
    }
  }

  pid_t owner() const { return owner_; }

  void Poke() {
    absl::MutexLock lock(mu_);
    poked_ = true;
  }

  // At the end of the process, beside Run().
  void Remove() {
    if (getpid() != owner_) return;  // the page is the parent's
    for (int i = 0; i < 100; ++i) {  // the disk may keep the other thread
      if (file_mu_.try_lock()) {
        if (file_.has_value()) file_->Remove(directory_->fd());
        ended_ = true;
        return file_mu_.unlock();
      }
      absl::SleepFor(absl::Milliseconds(1));
    }
  }

 private:
  void Publish() {
    absl::MutexLock lock(file_mu_);
    if (ended_ || !HasFile()) return;
    StatusPage page = TakeStatusSnapshot();
    const uint64_t now = std::exchange(page.process.written_time, 0);
    std::string content = EncodeStatus(page);
    if (content == content_) return;
    page.process.written_time = now;
    if (const absl::Status written = file_->Write(EncodeStatus(page)); !written.ok()) {
      return GiveUp(written);
    }
    content_ = std::move(content);
  }

  bool HasFile() ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mu_) {
    if (file_.has_value() && !file_->IsGone()) {
      if (absl::Now() > sweep_) Sweep();
      return true;
    }
    if (absl::Now() < retry_) return false;
    file_.reset();
    content_.clear();
    absl::StatusOr<RendezvousDirectory> directory = RendezvousDirectory::Find(candidates_);
    if (!directory.ok()) {
      GiveUp(directory.status());
      return false;
    }
    directory_ = *std::move(directory);
    Sweep();
    absl::StatusOr<StatusFile> file = StatusFile::Create(directory_->fd());
    if (!file.ok()) {
      GiveUp(file.status());
      return false;
    }
    file_.emplace(*std::move(file));
    return true;
  }

  // Removes what the dead have left.
  void Sweep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mu_) {
    sweep_ = absl::Now() + kSweepInterval;
    int looked_at = 0;
    ForEachFile(*directory_, [&](absl::string_view name) {
      if (!IsStatusFile(name)) return true;
      RemoveDeadStatusFile(directory_->fd(), std::string(name));
      return ++looked_at < kMostDead;
    });
  }

  void GiveUp(const absl::Status& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mu_) {
    if (file_.has_value()) file_->Remove(directory_->fd());
    file_.reset();
    retry_ = absl::Now() + kRetry;
    // Who uses the network only needs no directory.
    if (absl::IsNotFound(reason)) return;
    LOG_FIRST_N(INFO, 1) << "this process has no status page for cxl_stat: " << reason.message();
  }

  const DirectoryCandidates candidates_;
  const pid_t owner_ = getpid();
  absl::Mutex mu_;
  bool poked_ ABSL_GUARDED_BY(mu_) = false;
  absl::Mutex file_mu_;
  std::optional<RendezvousDirectory> directory_ ABSL_GUARDED_BY(file_mu_);
  std::optional<StatusFile> file_ ABSL_GUARDED_BY(file_mu_);
  std::string content_ ABSL_GUARDED_BY(file_mu_);  // written last, but for its time
  absl::Time retry_ ABSL_GUARDED_BY(file_mu_) = absl::InfinitePast();
  absl::Time sweep_ ABSL_GUARDED_BY(file_mu_) = absl::InfinitePast();
  bool ended_ ABSL_GUARDED_BY(file_mu_) = false;
};

// Never destroyed. Set once, with release; matched by the acquire loads.
std::atomic<Publisher*> g_publisher{nullptr};

Publisher* Start(const DirectoryCandidates& candidates) {
  auto* const publisher = new Publisher(candidates);
  try {
    std::thread([publisher] {
      pthread_setname_np(pthread_self(), "cxl_status");
      publisher->Run();
    }).detach();
  } catch (const std::system_error&) {  // no thread left: no page
  }
  std::atexit([] {
    if (Publisher* const it = g_publisher.load(std::memory_order_acquire)) it->Remove();
  });
  return publisher;
}

}  // namespace

void ShowStatus(const EndpointSettings& settings) {
  if (!settings.status_page) return;
  Publisher* publisher = g_publisher.load(std::memory_order_acquire);
  if (publisher == nullptr) {
    static Publisher* const started = Start(settings.directory);
    g_publisher.store(started, std::memory_order_release);
    publisher = started;
  }
  if (publisher->owner() == getpid()) publisher->Poke();  // a child may find the mutex locked
}

}  // namespace grpc_cxl::internal
