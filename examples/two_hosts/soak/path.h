// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_TWO_HOSTS_SOAK_PATH_H_
#define GRPC_CXL_EXAMPLES_TWO_HOSTS_SOAK_PATH_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace soak {

// What all paths of this process have in common.
struct Traffic {
  std::string name;  // of the process, in all of the soak: the beginning of its calls' ids
  absl::Duration deadline, pause;
  std::atomic<bool> stopping{false};
  std::atomic<uint64_t> next_id{1};  // relaxed, as the counts: they order nothing
};

// Says that what must never happen has; the driver reads it.
void Wrong(absl::string_view what);

// A kind of calls from this process to one place, made one after the other by a thread.
class Path {
 public:
  // Makes one call, whose context has deadline and x-request-id. Says Wrong() by itself when its
  // answer is.
  using Call = std::function<grpc::Status(grpc::ClientContext& context, const std::string& id)>;

  Path(std::string name, Traffic& traffic, Call call)
      : name_(std::move(name)), traffic_(traffic), call_(std::move(call)) {
    thread_ = std::thread([this] { Run(); });
  }
  // REQUIRES: `traffic.stopping`.
  ~Path() { thread_.join(); }

  const std::string& name() const { return name_; }
  // Calls that succeeded and that failed since the last time.
  int64_t TakeServed() { return served_.exchange(0, std::memory_order_relaxed); }
  int64_t TakeFailed() { return failed_.exchange(0, std::memory_order_relaxed); }

 private:
  void Run();

  const std::string name_;
  Traffic& traffic_;
  const Call call_;
  std::atomic<int64_t> served_{0}, failed_{0};
  std::thread thread_;  // last, because it uses the others
};

}  // namespace soak

#endif  // GRPC_CXL_EXAMPLES_TWO_HOSTS_SOAK_PATH_H_
