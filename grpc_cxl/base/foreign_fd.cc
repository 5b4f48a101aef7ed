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

#ifndef SO_PASSRIGHTS  // newer than some systems' headers
#define SO_PASSRIGHTS 83
#endif

namespace grpc_cxl::internal {
namespace {

constexpr size_t kMany = 64;

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
    if (!started_) {
      pthread_t thread;
      if (pthread_create(&thread, nullptr, &Closer::Run, this) != 0) return fd;
      pthread_setname_np(thread, "cxl_closer");
      pthread_detach(thread);
      started_ = true;
    }
    waiting_.push_back(std::move(fd));
    return UniqueFd();
  }

  bool HasMany() {
    absl::MutexLock lock(mu_);
    return waiting_.size() >= kMany;
  }

 private:
  static void* Run(void* self) {
    for (;;) static_cast<Closer*>(self)->CloseOne();
  }

  void CloseOne() {
    UniqueFd next;
    {
      absl::MutexLock lock(mu_);
      const auto any = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !waiting_.empty(); };
      mu_.Await(absl::Condition(&any));
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    next.Reset();
  }

  const pid_t owner_ = getpid();
  absl::Mutex mu_;
  bool started_ ABSL_GUARDED_BY(mu_) = false;
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

bool FilesComeNext(int socket) {
  bool has_files;
  return PeekMessage(socket, &has_files) >= 0 && has_files;
}

void CloseSocket(UniqueFd socket) {
  if (socket && MayPassDescriptors(socket.get())) CloseElsewhere(std::move(socket));
}

}  // namespace grpc_cxl::internal
