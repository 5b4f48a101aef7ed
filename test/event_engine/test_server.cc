// SPDX-License-Identifier: Apache-2.0
#include "test/event_engine/test_server.h"

#include <grpc/event_engine/endpoint_config.h>
#include <grpc/event_engine/memory_allocator.h>
#include <grpc/grpc.h>

#include <optional>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "grpc_cxl/engine.h"
#include "grpc_cxl/environment.h"
#include "grpc_cxl/event_engine/acceptor_registry.h"
#include "grpc_cxl/event_engine/settings_registry.h"
#include "test/endpoint/endpoint_pair.h"

namespace grpc_cxl::internal {
namespace {

using namespace grpc_event_engine::experimental;  // NOLINT: nearly every name below
using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;

class Config final : public EndpointConfig {
 public:
  explicit Config(int options = -1) : options_(options) {}
  std::optional<int> GetInt(absl::string_view key) const override {
    if (key == kSettingsArg && options_ >= 0) return options_;
    return std::nullopt;
  }
  std::optional<absl::string_view> GetString(absl::string_view) const override {
    return std::nullopt;
  }
  // gRPC's own endpoints insist on a quota.
  void* GetVoidPointer(absl::string_view key) const override {
    static grpc_resource_quota* const quota = grpc_resource_quota_create("test");
    return key == GRPC_ARG_RESOURCE_QUOTA ? quota : nullptr;
  }

 private:
  const int options_;
};

// Memory without a quota.
class Allocators final : public MemoryAllocatorFactory {
 public:
  static MemoryAllocator Make() { return MemoryAllocator(std::make_shared<Unlimited>()); }
  MemoryAllocator CreateMemoryAllocator(absl::string_view) override { return Make(); }

 private:
  class Unlimited final : public grpc_event_engine::experimental::internal::MemoryAllocatorImpl {
   public:
    size_t Reserve(MemoryRequest request) override { return request.max(); }
    grpc_slice MakeSlice(MemoryRequest request) override {
      return grpc_slice_malloc(request.max());
    }
    void Release(size_t) override {}
    void Shutdown() override {}
  };
};

}  // namespace

std::shared_ptr<EventEngine> TestEngine() { return Engine(); }

absl::StatusOr<EventEngine::ResolvedAddress> Resolve(const std::string& target) {
  auto resolver = TestEngine()->GetDNSResolver({});
  if (!resolver.ok()) return resolver.status();
  absl::Notification done;
  absl::StatusOr<EventEngine::ResolvedAddress> result;
  (*resolver)->LookupHostname(
      [&](absl::StatusOr<std::vector<EventEngine::ResolvedAddress>> addresses) {
        if (!addresses.ok()) {
          result = addresses.status();
        } else {
          CHECK_EQ(addresses->size(), 1u);
          result = addresses->front();
        }
        done.Notify();
      },
      target, "https");
  done.WaitForNotification();
  return result;
}

absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> ConnectTo(const std::string& target,
                                                                 const ChannelOptions& options,
                                                                 EventEngine::Duration timeout) {
  const absl::StatusOr<EventEngine::ResolvedAddress> address = Resolve(target);
  if (!address.ok()) return address.status();
  return ConnectTo(*address, options, timeout);
}

absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> ConnectTo(
    const EventEngine::ResolvedAddress& address, const ChannelOptions& options,
    EventEngine::Duration timeout) {
  struct State {
    absl::Notification done;
    int calls = 0;
    absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> result;
  };
  // Shared, so that a second call would be seen instead of writing into a dead frame.
  const auto state = std::make_shared<State>();
  TestEngine()->Connect(
      [state](absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> result) {
        CHECK_EQ(++state->calls, 1) << "on_connect was called twice";
        state->result = std::move(result);
        state->done.Notify();
      },
      address, Config(SettingsRegistry<ChannelSettings>::Register(ResolveOptions(options))),
      Allocators::Make(), timeout);
  CHECK(state->done.WaitForNotificationWithTimeout(absl::Minutes(2))) << "no answer to Connect()";
  return std::move(state->result);
}

TestServer::TestServer() {
  auto listener = TestEngine()->CreateListener(
      [state = state_](std::unique_ptr<EventEngine::Endpoint> endpoint, MemoryAllocator) {
        absl::MutexLock lock(state->mu);
        CHECK_EQ(state->shutdowns, 0) << "accepted after on_shutdown";
        state->accepted.push_back(std::move(endpoint));
      },
      [state = state_](const absl::Status& status) {
        CHECK_OK(status);
        absl::MutexLock lock(state->mu);
        CHECK_EQ(++state->shutdowns, 1);
      },
      Config(), std::make_unique<Allocators>());
  CHECK_OK(listener);
  listener_ = *std::move(listener);
}

absl::StatusOr<int> TestServer::Bind(const std::string& target, const ServerOptions& options) {
  absl::StatusOr<ServerSettings> settings = ResolveOptions(options);
  if (!settings.ok()) return settings.status();
  const int number =
      SettingsRegistry<ListenContext>::Register(ListenContext{.settings = *std::move(settings)});
  const absl::StatusOr<EventEngine::ResolvedAddress> address =
      Resolve(absl::StrCat(target, "?options=", number));
  if (!address.ok()) return address.status();
  return listener_->Bind(*address);
}

std::unique_ptr<EventEngine::Endpoint> TestServer::Accept(absl::Duration patience) {
  State& state = *state_;
  absl::MutexLock lock(state.mu);
  const auto some = [&state]()
                        ABSL_SHARED_LOCKS_REQUIRED(state.mu) { return !state.accepted.empty(); };
  if (!state.mu.AwaitWithTimeout(absl::Condition(&some), patience)) return nullptr;
  auto endpoint = std::move(state.accepted.front());
  state.accepted.pop_front();
  return endpoint;
}

void TestServer::Shutdown() {
  if (listener_ == nullptr) return;
  listener_.reset();
  State& state = *state_;
  absl::MutexLock lock(state.mu);
  const auto down = [&state]() ABSL_SHARED_LOCKS_REQUIRED(state.mu) { return state.shutdowns > 0; };
  CHECK(state.mu.AwaitWithTimeout(absl::Condition(&down), absl::Minutes(1)))
      << "on_shutdown is missing";
}

EngineTest::EngineTest() {
  server_options_.rendezvous_directory = directory_.path();
  server_options_.ring_bytes = 16 << 10;
  server_options_.payload_bytes = 64 << 10;  // making a connection costs as much as its memory
  channel_options_.rendezvous_directory = directory_.path();
  // A file more, and a thread.
  server_options_.status_page = channel_options_.status_page = false;
}

void EngineTest::Start(TestServer& server) const {
  CHECK_OK(server.Bind(kPayments, server_options_));
  CHECK_OK(server.listener().Start());
}

void EngineTest::ExpectHelloFrom(
    const absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>>& client, TestServer& server) {
  ASSERT_TRUE(client.ok()) << client.status();
  const auto accepted = server.Accept();
  ASSERT_NE(accepted, nullptr);
  ASSERT_THAT(WriteAll(**client, "hello"), IsOk());
  ASSERT_THAT(ReadExactly(*accepted, 5), IsOkAndHolds("hello"));
}

}  // namespace grpc_cxl::internal
