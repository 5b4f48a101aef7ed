// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_BACKGROUND_CALLS_H_
#define GRPC_CXL_DIRECT_BACKGROUND_CALLS_H_

#include <grpc/support/time.h>
#include <grpcpp/channel.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace grpc_cxl::internal {

// What a one-way call sends. Copies share the message.
struct OneWayRequest {
  std::string method;  // "/package.Service/Method"
  std::multimap<std::string, std::string> metadata;
  gpr_timespec deadline;
  grpc::ByteBuffer message;
};

// One-way calls over HTTP/2: ordinary unary calls whose outcome nobody awaits. On a channel of
// their own, without interceptors, which have seen the call already. Thread-safe; owned by a
// shared_ptr, which the calls that run share.
class BackgroundCalls : public std::enable_shared_from_this<BackgroundCalls> {
 public:
  // So many run at a time, so that a server that is slow or away does not fill our memory.
  static constexpr int kMost = 512;

  // `make` makes the channel, at the first call.
  explicit BackgroundCalls(std::function<std::shared_ptr<grpc::Channel>()> make)
      : make_(std::move(make)) {}

  // False: too many run already.
  bool Start(const OneWayRequest& request);

 private:
  class Running;

  std::shared_ptr<grpc::Channel> channel();

  const std::function<std::shared_ptr<grpc::Channel>()> make_;
  std::atomic<int> running_{0};  // relaxed: a number by itself
  absl::Mutex mu_;
  std::shared_ptr<grpc::Channel> channel_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_BACKGROUND_CALLS_H_
