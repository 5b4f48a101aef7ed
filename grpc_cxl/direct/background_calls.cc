// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/background_calls.h"

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include "absl/log/log.h"
#include "grpc_cxl/direct/call_counters.h"

namespace grpc_cxl::internal {

// Deletes itself at the call's end.
class BackgroundCalls::Running {
 public:
  Running(std::shared_ptr<BackgroundCalls> owner, const OneWayRequest& request)
      : owner_(std::move(owner)), stub_(owner_->channel()), message_(request.message) {
    context_.set_deadline(request.deadline);
    for (const auto& [key, value] : request.metadata) context_.AddMetadata(key, value);
    stub_.UnaryCall(&context_, request.method, grpc::StubOptions(), &message_, &response_,
                    [this, method = request.method](const grpc::Status& status) {
                      if (!status.ok()) Failed(method, status);
                      owner_->running_.fetch_sub(1, std::memory_order_relaxed);
                      delete this;
                    });
  }

 private:
  static void Failed(const std::string& method, const grpc::Status& status) {
    CallCounters::OfProcess().one_way_failed.Add();
    LOG_EVERY_N_SEC(WARNING, 10) << "a one-way call of " << method
                                 << " has failed: " << status.error_message();
  }

  const std::shared_ptr<BackgroundCalls> owner_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::ByteBuffer message_;
  grpc::ByteBuffer response_;
};

bool BackgroundCalls::Start(const OneWayRequest& request) {
  if (running_.fetch_add(1, std::memory_order_relaxed) >= kMost) {
    running_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  CallCounters::OfProcess().one_way_background.Add();
  new Running(shared_from_this(), request);
  return true;
}

std::shared_ptr<grpc::Channel> BackgroundCalls::channel() {
  absl::MutexLock lock(mu_);
  if (channel_ == nullptr) channel_ = make_();
  return channel_;
}

}  // namespace grpc_cxl::internal
