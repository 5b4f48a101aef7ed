// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/kept_name.h"

#include <chrono>
#include <utility>

#include "absl/log/log.h"
#include "absl/status/status.h"
#include "grpc_cxl/polling/pollable.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/name_files.h"
#include "grpc_cxl/rendezvous/replica_name.h"

namespace grpc_cxl::internal {
namespace {

// A program that removes the whole directory is left to finish.
constexpr auto kSettle = std::chrono::milliseconds(50);

// How often to try again after a failure, of which no change of a file may tell the end.
constexpr auto kRetry = std::chrono::seconds(1);

// How often a name may have another owner each time that its owner is asked for it.
constexpr int kMostOwners = 10;

// How often to look in any case: a change of a parent directory, or any where the kernel gives no
// watch, is not reported.
constexpr auto kRoutine = std::chrono::seconds(5);

}  // namespace

class KeptName::Watched final : public Pollable {
 public:
  Watched(std::weak_ptr<KeptName> name, int fd, void (KeptName::*on_readable)())
      : name_(std::move(name)), fd_(fd), on_readable_(on_readable) {}

  int fd() const override { return fd_; }
  void OnFdReadable() override {
    if (const std::shared_ptr<KeptName> name = name_.lock()) ((*name).*on_readable_)();
  }

 private:
  const std::weak_ptr<KeptName> name_;
  const int fd_;
  void (KeptName::*const on_readable_)();
};

absl::StatusOr<std::shared_ptr<KeptName>> KeptName::Open(std::shared_ptr<EventEngine> executor,
                                                         Poller* poller,
                                                         const DirectoryCandidates& directory,
                                                         const ServiceName& name, bool take_over,
                                                         const TrustedUsers& users, bool restores) {
  absl::StatusOr<RendezvousDirectory> opened = RendezvousDirectory::Open(directory);
  if (!opened.ok()) return opened.status();
  absl::StatusOr<NameListener> listener = NameListener::Listen(*opened, name);
  std::optional<TakeOver> asked;
  for (int i = 0; take_over && absl::IsAlreadyExists(listener.status()) && i < kMostOwners; ++i) {
    absl::StatusOr<TakeOver> owner = TakeOver::Ask(*opened, name, users);
    if (owner.ok()) {
      asked = *std::move(owner);
      listener = NameListener::Prepare(*opened, name);
    } else if (absl::IsUnavailable(owner.status())) {
      listener = NameListener::Listen(*opened, name);  // it has just left
    } else {
      return owner.status();
    }
  }
  if (!listener.ok()) return listener.status();
  return std::shared_ptr<KeptName>(new KeptName(std::move(executor), poller, *std::move(opened),
                                                *std::move(listener), name, std::move(asked),
                                                restores));
}

absl::StatusOr<std::shared_ptr<KeptName>> KeptName::OpenReplica(
    std::shared_ptr<EventEngine> executor, Poller* poller, const DirectoryCandidates& directory,
    const ServiceName& service) {
  absl::StatusOr<RendezvousDirectory> opened = RendezvousDirectory::Open(directory);
  if (!opened.ok()) return opened.status();
  absl::StatusOr<NameListener> listener = NameListener::ListenAsReplica(*opened, service);
  if (!listener.ok()) return listener.status();
  const ServiceName name = ServiceName::Reserved(listener->name());
  return std::shared_ptr<KeptName>(new KeptName(std::move(executor), poller, *std::move(opened),
                                                *std::move(listener), name, std::nullopt,
                                                /*restores=*/true));
}

KeptName::KeptName(std::shared_ptr<EventEngine> executor, Poller* poller,
                   RendezvousDirectory directory, NameListener listener, const ServiceName& name,
                   std::optional<TakeOver> take_over, bool restores)
    : executor_(std::move(executor)),
      poller_(poller),
      name_(name),
      directory_(std::move(directory)),
      listener_(std::move(listener)),
      take_over_(std::move(take_over)) {
  absl::MutexLock lock(mu_);
  if (restores) watch_.emplace(FileStem(directory_, name));
}

void KeptName::TakeFromOwner() {
  std::optional<TakeOver> take_over;
  {
    absl::MutexLock lock(mu_);
    take_over.swap(take_over_);
  }
  if (!take_over.has_value()) return;
  absl::StatusOr<TakenName> taken = take_over->Take();
  absl::MutexLock lock(mu_);
  if (!listener_.has_value()) return;
  absl::Status owned =
      taken.ok() ? listener_->Adopt(directory_, *std::move(taken)) : taken.status();
  if (owned.ok()) take_over_ = std::move(take_over);
  // The owner may have left meanwhile. If it has not, Check() tries again.
  if (!owned.ok()) owned = listener_->Restore(directory_).status();
  if (!owned.ok()) {
    LOG(ERROR) << "cxl:///" << name_.str()
               << ": cannot take the name over, clients go on to reach its owner: "
               << owned.message();
  }
  last_error_ = std::string(owned.message());
}

void KeptName::Start(std::function<void()> on_waiting) {
  TakeFromOwner();
  absl::MutexLock lock(mu_);
  if (!listener_.has_value()) return;
  on_waiting_ = std::move(on_waiting);
  waiting_ = Watch(listener_->fd(), &KeptName::OnWaiting);
  if (!watch_.has_value()) return;
  watch_->Watch(listener_->directory());
  if (watch_->fd() >= 0) changes_ = Watch(watch_->fd(), &KeptName::OnFilesChanged);
  // The files may have changed before.
  CheckAfter(kSettle);
}

std::shared_ptr<KeptName::Watched> KeptName::Watch(int fd, void (KeptName::*on_readable)()) {
  auto watched = std::make_shared<Watched>(weak_from_this(), fd, on_readable);
  if (!poller_->Add(watched)) {
    unwatched_ = true;
    LOG(ERROR) << "cxl:///" << name_.str()
               << ": the kernel watches no more sockets for this user, so clients wait up to a "
                  "second; raise fs.epoll.max_user_watches";
  }
  return watched;
}

KeptName::Ending KeptName::TakeAll() {
  Ending ending;
  for (std::shared_ptr<Watched>* watched : {&waiting_, &changes_, &succession_}) {
    if (*watched != nullptr) ending.watched.push_back(std::exchange(*watched, nullptr));
  }
  ending.successor = std::move(successor_);
  ending.take_over = std::exchange(take_over_, std::nullopt);
  ending.listener = std::exchange(listener_, std::nullopt);
  return ending;
}

void KeptName::Stop() {
  std::function<void()> dropped;
  Ending ending;
  {
    absl::MutexLock lock(mu_);
    if (listener_.has_value() && successor_ && !handed_over_) HandOver();
    ending = TakeAll();
    dropped.swap(on_waiting_);
  }
  // First: a successor has the same socket, so closing ours does not end the watch.
  for (const auto& watched : ending.watched) poller_->Remove(watched.get());
}

void KeptName::AddSuccessor(UniqueFd socket) {
  absl::MutexLock lock(mu_);
  if (waiting_ == nullptr || handed_over_ || !listener_->IsOwner() || IsReplicaName(name_)) {
    return SendRefusal(socket.get(), Refusal::kShuttingDown, "the server is shutting down");
  }
  if (successor_) {
    return SendRefusal(socket.get(), Refusal::kConnectionLimit,
                       "another server is about to take its name over");
  }
  if (!SendWilling(socket.get()).ok()) return;
  successor_ = std::move(socket);
  const bool unwatched = std::exchange(unwatched_, false);
  succession_ = Watch(successor_.get(), &KeptName::OnSuccessor);
  if (unwatched_) {  // the next one may have more luck
    succession_ = nullptr;
    successor_.Reset();
  }
  unwatched_ = unwatched;
}

void KeptName::OnSuccessor() {
  absl::MutexLock lock(mu_);
  if (!successor_) return;
  const absl::StatusOr<bool> now = ReceiveNow(successor_.get());
  if (now.ok() && !*now) return;
  if (now.ok() && !handed_over_ && HandOver()) return WatchSocket();
  // It has gone.
  poller_->Remove(succession_.get());
  succession_ = nullptr;
  successor_.Reset();
  if (std::exchange(handed_over_, false)) CheckAfter(EventEngine::Duration(0));
}

void KeptName::WatchSocket() {
  // In this order: a successor has the same socket, so closing ours does not end the watch.
  poller_->Remove(waiting_.get());
  listener_->DropRetired();
  waiting_ = Watch(listener_->fd(), &KeptName::OnWaiting);
}

bool KeptName::HandOver() {
  const absl::Status given = listener_->HandOver(successor_.get());
  if (!given.ok()) return false;
  LOG(INFO) << "cxl:///" << name_.str() << ": another server has taken the name over";
  handed_over_ = given_ = true;
  return true;
}

bool KeptName::AwaitTakeOver(absl::Time deadline) {
  absl::MutexLock lock(mu_);
  const auto over = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return given_ || !listener_.has_value();
  };
  mu_.AwaitWithDeadline(absl::Condition(&over), deadline);
  return given_;
}

absl::StatusOr<UniqueFd> KeptName::Accept() {
  absl::MutexLock lock(mu_);
  // A forked child leaves its parent's clients alone.
  if (!listener_.has_value() || listener_->fd() < 0 || !listener_->IsOwner()) return UniqueFd();
  return listener_->Accept();
}

void KeptName::OnWaiting() {
  std::function<void()> on_waiting;
  {
    absl::MutexLock lock(mu_);
    on_waiting = on_waiting_;
  }
  if (on_waiting) on_waiting();
}

void KeptName::OnFilesChanged() {
  absl::MutexLock lock(mu_);
  if (watch_->Changed()) CheckAfter(kSettle);
}

void KeptName::CheckAfter(EventEngine::Duration delay) {
  const auto due = std::chrono::steady_clock::now() + delay;
  if (due >= check_due_) return;
  // A routine look must not keep a change waiting.
  if (check_due_ != kNever) executor_->Cancel(check_);
  check_due_ = due;
  check_ = executor_->RunAfter(delay, [weak = weak_from_this()] {
    if (const std::shared_ptr<KeptName> self = weak.lock()) self->Check();
  });
}

void KeptName::Check() {
  OnWaiting();  // before the socket in whose queue they wait is replaced
  absl::MutexLock lock(mu_);
  if (check_due_ != kNever) executor_->Cancel(check_);
  check_due_ = kNever;
  // Stopped, another's, or a forked child's copy.
  if (waiting_ == nullptr || handed_over_ || !listener_->IsOwner() || !watch_.has_value()) return;
  const absl::Status status = Restore();
  const bool taken = absl::IsAlreadyExists(status);
  if (status.ok()) given_ = false;
  // The successor has gone. If it has given the name to another, all is well.
  const bool expected = taken && given_;
  if (!status.ok() && !expected && status.message() != last_error_) {
    LOG(ERROR) << "cxl:///" << name_.str()
               << (taken ? ": the files of this name were removed and another server has taken it; "
                           "new clients do not reach this server: "
                         : ": cannot make sure that the files of this name are there: ")
               << status.message();
  }
  last_error_ = std::string(status.message());
  // The attempt's own changes must not cause the next one.
  if (!status.ok()) watch_->Changed();
  CheckAfter(status.ok() && !unwatched_ ? EventEngine::Duration(kRoutine) : kRetry);
}

absl::Status KeptName::Restore() {
  absl::StatusOr<RendezvousDirectory> directory = directory_.Reopen();
  if (!directory.ok()) return directory.status();
  const absl::StatusOr<NameListener::Restored> restored = listener_->Restore(*directory);
  directory_ = *std::move(directory);
  watch_->Watch(listener_->directory());
  if (waiting_->fd() != listener_->fd()) WatchSocket();
  if (!restored.ok()) return restored.status();
  if (*restored != NameListener::Restored::kNothing) {
    LOG(WARNING) << "cxl:///" << name_.str() << ": restored the files of this name in "
                 << directory_.path() << ", which were removed or replaced";
  }
  return absl::OkStatus();
}

}  // namespace grpc_cxl::internal
