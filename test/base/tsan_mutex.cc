// SPDX-License-Identifier: Apache-2.0

// Makes ThreadSanitizer see Abseil's locks.
//
// The prefix's Abseil is an ordinary shared library: in a ThreadSanitizer build the
// sanitizer does not see what happens inside, so everything that a Mutex guards looks like a
// race. The functions below stand in front of the library's (a program's own functions come
// first for the dynamic linker) and tell the sanitizer what each of them orders. Linked into
// the tests of code that locks; empty in every other build.

#include "absl/base/config.h"

#if defined(ABSL_HAVE_THREAD_SANITIZER)

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <string>

#include "absl/base/options.h"
#include "absl/log/check.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"

// Of the sanitizer, without a header. Unlocking looks at what waiters wait for, which the
// sanitizer would take for reads after the lock was given up.
extern "C" void AnnotateIgnoreReadsBegin(const char* file, int line);
extern "C" void AnnotateIgnoreReadsEnd(const char* file, int line);

namespace {

#define GRPC_CXL_TEXT_OF(name) #name
#define GRPC_CXL_TEXT(macro) GRPC_CXL_TEXT_OF(macro)

// The library's function of this mangled name; without "_ZN4absl" and the namespace that
// depends on the release, or "_ZNK4absl" for a const one.
template <typename Function>
Function* Library(const std::string& name, const std::string& prefix = "_ZN4absl") {
  const std::string release = GRPC_CXL_TEXT(ABSL_OPTION_INLINE_NAMESPACE_NAME);
  const std::string mangled = prefix + std::to_string(release.size()) + release + name;
  void* const function = dlsym(RTLD_NEXT, mangled.c_str());
  CHECK(function != nullptr) << "Abseil has no " << mangled;
  return reinterpret_cast<Function*>(function);
}

// Waiting gives the lock up and takes it again.
struct Waiting {
  explicit Waiting(void* lock) : lock(lock) {
    __tsan_release(lock);
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  }
  ~Waiting() {
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
    __tsan_acquire(lock);
  }
  void* const lock;
};

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::lock() {
  static auto* const real = Library<void(Mutex*)>("5Mutex4lockEv");
  real(this);
  __tsan_acquire(this);
}

void Mutex::unlock() {
  static auto* const real = Library<void(Mutex*)>("5Mutex6unlockEv");
  __tsan_release(this);
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  real(this);
  AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
}

bool Mutex::try_lock() {
  static auto* const real = Library<bool(Mutex*)>("5Mutex8try_lockEv");
  if (!real(this)) return false;
  __tsan_acquire(this);
  return true;
}

bool Mutex::AwaitCommon(const Condition& condition,
                        synchronization_internal::KernelTimeout timeout) {
  static auto* const real =
      Library<bool(Mutex*, const Condition&, synchronization_internal::KernelTimeout)>(
          "5Mutex11AwaitCommonERKNS0_9ConditionENS0_24synchronization_internal13KernelTimeoutE");
  const Waiting waiting(this);
  return real(this, condition, timeout);
}

void Notification::Notify() {
  static auto* const real = Library<void(Notification*)>("12Notification6NotifyEv");
  __tsan_release(this);
  real(this);
}

void Notification::WaitForNotification() const {
  static auto* const real =
      Library<void(const Notification*)>("12Notification19WaitForNotificationEv", "_ZNK4absl");
  real(this);
  __tsan_acquire(const_cast<Notification*>(this));
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  static auto* const real = Library<bool(const Notification*, Duration)>(
      "12Notification30WaitForNotificationWithTimeoutENS0_8DurationE", "_ZNK4absl");
  const bool notified = real(this, timeout);
  __tsan_acquire(const_cast<Notification*>(this));
  return notified;
}

ABSL_NAMESPACE_END
}  // namespace absl

#endif  // ABSL_HAVE_THREAD_SANITIZER
