// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/base/foreign_fd.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <deque>
#include <utility>

#include "absl/base/no_destructor.h"
#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#ifndef SO_PASSRIGHTS  // newer than some systems' headers
#define SO_PASSRIGHTS 83
#endif

namespace grpc_cxl::internal {
namespace {

constexpr size_t kMany = 64;
constexpr size_t kMostThreads = 16;
constexpr absl::Duration kIdleThreadLife = absl::Seconds(10);

class Closer {
 public:
  static Closer& OfProcess() {
    static absl::NoDestructor<Closer> closer;
    return *closer;
  }

  // Returns what the caller must close.
  UniqueFd Take(UniqueFd fd) {
    if (getpid() != owner_) return fd;  // a forked child has no such thread
    absl::MutexLock lock(mu_);
    if (waiting_.size() >= idle_ && threads_ < kMostThreads && !Start() && threads_ == 0) return fd;
    waiting_.push_back(std::move(fd));
    return UniqueFd();
  }

  bool HasMany() {
    if (getpid() != owner_) return false;  // nor the thread that may have held the lock
    absl::MutexLock lock(mu_);
    return waiting_.size() >= kMany;
  }

 private:
  bool Start() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, &Closer::Run, this) != 0) return false;
    pthread_setname_np(thread, "cxl_closer");
    pthread_detach(thread);
    ++threads_;
    ++idle_;
    return true;
  }

  static void* Run(void* self) {
    while (static_cast<Closer*>(self)->CloseOne()) {
    }
    return nullptr;
  }

  // False: there was nothing to do for a while, and the thread has left.
  bool CloseOne() {
    UniqueFd next;
    {
      absl::MutexLock lock(mu_);
      const auto any = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !waiting_.empty(); };
      const bool found = mu_.AwaitWithTimeout(absl::Condition(&any), kIdleThreadLife);
      --idle_;
      if (!found) {
        --threads_;
        return false;
      }
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    next.Reset();
    absl::MutexLock lock(mu_);
    ++idle_;
    return true;
  }

  const pid_t owner_ = getpid();
  absl::Mutex mu_;
  size_t threads_ ABSL_GUARDED_BY(mu_) = 0;
  size_t idle_ ABSL_GUARDED_BY(mu_) = 0;  // threads that are not in a close()
  std::deque<UniqueFd> waiting_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

void CloseElsewhere(UniqueFd fd) { Closer::OfProcess().Take(std::move(fd)).Reset(); }

bool TooManyToClose() { return Closer::OfProcess().HasMany(); }

void PassDescriptors(int socket, bool pass) {
  const int value = pass ? 1 : 0;
  setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &value, sizeof(value));
}

bool MayPassDescriptors(int socket) {
  int value = 1;
  socklen_t size = sizeof(value);
  return getsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &value, &size) != 0 || value != 0;
}

ssize_t PeekMessage(int socket, bool* has_files) {
  char byte;
  iovec bytes{&byte, 1};
  msghdr message{};  // without room for descriptors: the kernel sets MSG_CTRUNC for them
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  ssize_t size;
  do {
    size = recvmsg(socket, &message, MSG_DONTWAIT | MSG_PEEK);
  } while (size < 0 && errno == EINTR);
  *has_files = size >= 0 && (message.msg_flags & MSG_CTRUNC) != 0;
  return size;
}

void CloseSocket(UniqueFd socket) {
  if (socket && MayPassDescriptors(socket.get())) CloseElsewhere(std::move(socket));
}

}  // namespace grpc_cxl::internal
