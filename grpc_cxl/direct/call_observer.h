// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_CALL_OBSERVER_H_
#define GRPC_CXL_DIRECT_CALL_OBSERVER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace grpc_cxl::internal {

// A direct call that somebody observes, at its client or its server. Its functions are called one
// after the other, on any threads:
//
//   Annotate() -> Began() -> Ended(), or at a client NotTaken()
//        |
//        +------> BeganStream() -> Sent(), Received() ... -> the same
//        |
//        +--> destroyed: the call is not a direct one after all
class ObservedCall {
 public:
  using Metadata = std::multimap<std::string, std::string>;

  virtual ~ObservedCall() = default;

  // The call's metadata: at the client those that it will send, at the server those that the
  // handler will see.
  virtual void Annotate(Metadata* metadata) = 0;
  // The server has been told; or it has taken the call.
  virtual void Began(size_t request_bytes) = 0;
  // The same of a stream, whose messages are told of one by one.
  virtual void BeganStream() = 0;
  virtual void Sent(size_t message_bytes) = 0;
  virtual void Received(size_t message_bytes) = 0;
  // `code` is gRPC's; no bytes of a stream.
  virtual void Ended(uint32_t code, absl::string_view text, size_t response_bytes) = 0;
  // The server has not taken it; it goes on over HTTP/2.
  virtual void NotTaken() = 0;
};

// Sees the direct calls of a process. Thread-safe.
class CallObserver {
 public:
  virtual ~CallObserver() = default;

  // `method` is "/package.Service/Method". Null: not this one.
  virtual std::unique_ptr<ObservedCall> AtClient(absl::string_view method,
                                                 absl::string_view target) = 0;
  virtual std::unique_ptr<ObservedCall> AtServer(absl::string_view method) = 0;

  // The process's; null: nobody observes, and a call costs this load.
  static CallObserver* Get() { return The().load(std::memory_order_acquire); }
  // Once, for the rest of the process. False: there is one.
  static bool Set(std::unique_ptr<CallObserver> observer) {
    CallObserver* none = nullptr;
    // Matched by the acquire load in Get().
    if (!The().compare_exchange_strong(none, observer.get(), std::memory_order_release)) {
      return false;
    }
    observer.release();
    return true;
  }

 private:
  static std::atomic<CallObserver*>& The() {
    static std::atomic<CallObserver*> the{nullptr};
    return the;
  }
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_CALL_OBSERVER_H_
