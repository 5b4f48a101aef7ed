// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_E2E_HOLDING_SERVER_H_
#define GRPC_CXL_TEST_E2E_HOLDING_SERVER_H_

#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/connection_status.h"
#include "grpc_cxl/priority.h"
#include "grpc_cxl/server_builder.h"
#include "test/e2e/echo_pair.h"
#include "test/e2e/transport.h"
#include "test/support/eventually.h"

namespace grpc_cxl::e2e {

// A server of direct calls that holds each until it is let go.
class HoldingServer final : private Echo::CallbackService {
 public:
  explicit HoldingServer(const Transport& transport) {
    ServerBuilder builder;
    builder.AddListeningPort(transport.address(), transport.ServerCredentials());
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    CHECK(server_ != nullptr);
  }
  ~HoldingServer() override {
    LetAllGo();
    server_->Shutdown(absl::ToChronoTime(absl::Now()));
  }

  grpc::Server& server() { return *server_; }
  bool AwaitHeld(size_t calls) {
    return internal::Eventually([&] {
      absl::MutexLock lock(mu_);
      return held_.size() == calls;
    });
  }
  // Those that have been held longest.
  void LetGo(size_t calls) {
    for (; calls > 0; --calls) {
      std::function<void()> finish;
      {
        absl::MutexLock lock(mu_);
        finish = std::move(held_.front());
        held_.pop_front();
      }
      finish();
    }
  }
  // And all that come.
  void LetAllGo() {
    size_t held;
    {
      absl::MutexLock lock(mu_);
      holds_ = false;
      held = held_.size();
    }
    LetGo(held);
  }
  std::vector<std::string> begun() {
    absl::MutexLock lock(mu_);
    return begun_;
  }
  size_t most() {
    absl::MutexLock lock(mu_);
    return most_;
  }

 private:
  grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* context, const EchoRequest* request,
                                  EchoResponse* response) override {
    if (!context->peer().empty()) response->set_requests(1);  // over HTTP/2
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    Hold(request->payload(), [reactor] { reactor->Finish(grpc::Status::OK); });
    return reactor;
  }
  grpc::ServerBidiReactor<EchoRequest, EchoResponse>* Bidi(
      grpc::CallbackServerContext* context) override {
    struct Reactor : grpc::ServerBidiReactor<EchoRequest, EchoResponse> {
      void OnDone() override { delete this; }
    };
    const auto name = context->client_metadata().find("name")->second;
    auto* const reactor = new Reactor;
    Hold(std::string(name.data(), name.size()) + (context->peer().empty() ? "" : " over HTTP/2"),
         [reactor] { reactor->Finish(grpc::Status::OK); });
    return reactor;
  }

  void Hold(const std::string& name, std::function<void()> finish) {
    {
      absl::MutexLock lock(mu_);
      begun_.push_back(name);
      if (holds_) {
        held_.push_back(std::move(finish));
        most_ = std::max(most_, held_.size());
        return;
      }
    }
    finish();
  }

  absl::Mutex mu_;
  bool holds_ ABSL_GUARDED_BY(mu_) = true;
  std::deque<std::function<void()>> held_ ABSL_GUARDED_BY(mu_);  // how they end
  std::vector<std::string> begun_ ABSL_GUARDED_BY(mu_);
  size_t most_ ABSL_GUARDED_BY(mu_) = 0;
  std::unique_ptr<grpc::Server> server_;
};

// A call in the callback API.
struct OneCall {
  OneCall(Echo::Stub& stub, const std::string& payload, absl::Duration timeout = absl::Minutes(1),
          Priority priority = Priority::kDefault) {
    SetPriority(&context, priority);
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    request.set_payload(payload);
    stub.async()->Unary(&context, &request, &response, [this](const grpc::Status& ended) {
      status = ended;
      over.Notify();
    });
  }
  grpc::StatusCode Await() {
    over.WaitForNotification();
    return status.error_code();
  }

  grpc::ClientContext context;
  EchoRequest request;
  EchoResponse response;
  grpc::Status status;
  absl::Notification over;
};

using Calls = std::deque<OneCall>;

inline ServerOptions WithCapacity(size_t capacity, bool replicas = false) {
  ServerOptions options;
  options.capacity = capacity;
  options.replicas = replicas;
  return options;
}

class CapacityTest : public ::testing::Test {
 protected:
  std::unique_ptr<Echo::Stub> Start(size_t capacity, size_t max_waiting = 1024) {
    transport_ = Transport::Make(TransportKind::kCxlDirect, WithCapacity(capacity));
    server_ = std::make_unique<HoldingServer>(*transport_);
    return Stub(max_waiting);
  }
  std::unique_ptr<Echo::Stub> Stub(size_t max_waiting, bool inline_calls = false) {
    ChannelOptions options;
    options.inline_calls = inline_calls;
    options.rendezvous_directory = transport_->place();
    options.max_waiting_calls = max_waiting;
    const auto channel =
        grpc::CreateChannel(transport_->address(), grpc_cxl::ChannelCredentials(options));
    Connect(*channel);
    return Echo::NewStub(channel);
  }

  // Until so many calls wait for room at a server of this process, or for a slot at a client.
  static bool AwaitWaiting(ConnectionStatus::Side side, size_t calls) {
    return internal::Eventually([side, calls] {
      for (const ConnectionStatus& connection : GetConnectionStatus()) {
        if (connection.side == side && connection.direct_calls_waiting == calls) return true;
      }
      return false;
    });
  }

  // To so many replicas; for a moment perhaps twice to one.
  static bool AwaitConnections(size_t replicas) {
    return internal::Eventually([replicas] {
      std::set<std::string> names;
      for (const ConnectionStatus& connection : GetConnectionStatus()) {
        if (absl::StrContains(connection.name, "=")) names.insert(connection.name);
      }
      return names.size() == replicas;
    });
  }

  std::unique_ptr<Transport> transport_;
  std::unique_ptr<HoldingServer> server_;
};

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_HOLDING_SERVER_H_
