// SPDX-License-Identifier: Apache-2.0

// A client's stream whose batches end at bad moments: gRPC's part is played by the test.

#include "grpc_cxl/direct/stream_call.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/client_interceptor.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/types/span.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/calls/client_call_areas.h"
#include "grpc_cxl/direct/call_routes.h"
#include "grpc_cxl/direct/direct_channel.h"
#include "grpc_cxl/direct/slot_queue.h"
#include "grpc_cxl/streams/client_streams.h"
#include "grpc_cxl/streams/server_streams.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "grpc_cxl/streams/stream_memory.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using grpc::experimental::InterceptionHookPoints;

// The batch with a stream's initial metadata.
class FirstBatch final : public grpc::experimental::InterceptorBatchMethods {
 public:
  explicit FirstBatch(std::function<void()> on_hijack) : on_hijack_(std::move(on_hijack)) {}

  bool QueryInterceptionHookPoint(InterceptionHookPoints point) override {
    return point == InterceptionHookPoints::PRE_SEND_INITIAL_METADATA;
  }
  void Proceed() override { ADD_FAILURE() << "the call goes over HTTP/2"; }
  void Hijack() override { on_hijack_(); }
  std::multimap<std::string, std::string>* GetSendInitialMetadata() override { return &metadata_; }

  // Of other batches.
  grpc::ByteBuffer* GetSerializedSendMessage() override { return nullptr; }
  const void* GetSendMessage() override { return nullptr; }
  void ModifySendMessage(const void*) override {}
  bool GetSendMessageStatus() override { return false; }
  grpc::Status GetSendStatus() override { return {}; }
  void ModifySendStatus(const grpc::Status&) override {}
  std::multimap<std::string, std::string>* GetSendTrailingMetadata() override { return nullptr; }
  void* GetRecvMessage() override { return nullptr; }
  std::multimap<grpc::string_ref, grpc::string_ref>* GetRecvInitialMetadata() override {
    return nullptr;
  }
  grpc::Status* GetRecvStatus() override { return nullptr; }
  std::multimap<grpc::string_ref, grpc::string_ref>* GetRecvTrailingMetadata() override {
    return nullptr;
  }
  std::unique_ptr<grpc::ChannelInterface> GetInterceptedChannel() override { return nullptr; }
  void FailHijackedRecvMessage() override {}
  void FailHijackedSendMessage() override {}

 private:
  const std::function<void()> on_hijack_;
  std::multimap<std::string, std::string> metadata_;
};

struct Owner final : LinkOwner {
  void UserIdle() override {}
  void End(absl::Status why) override { ADD_FAILURE() << why; }
};

struct NoUser final : StreamUser {
  void OnNews() override {}
  void OnEnded() override {}
};

struct Image {
  StreamNewsWords client_news, server_news;
  alignas(kPageBytes) char calls[CallAreaBytes(kPageBytes)];
  alignas(kWriterAlignment) char area[kStreamAreaBytes];
};

// The application gives the call up as soon as its first batch is done, which is on its own thread,
// before Hijack() has returned on ours.
TEST(StreamCallTest, AContextThatGoesBeforeItsHijackReturnsCancelsTheCall) {
  const auto image = std::make_unique<Image>();
  const StreamMemory memory{.area = absl::MakeSpan(image->area),
                            .client_news = &image->client_news,
                            .server_news = &image->server_news,
                            .wake_peer = [] {}};
  ClientStreams client(memory);
  ServerStreams server(memory, [](size_t) { return true; });
  server.SetAccepting(true);
  ClientCallAreas calls(
      absl::MakeSpan(image->calls), kPageBytes, /*count=*/1, [] {}, SharedView(),
      /*polls=*/false, SpinBudget(WaitPolicy::kPark, absl::ZeroDuration()), ArenaPages());
  RouteCounters counters;
  const auto owner = std::make_shared<Owner>();
  const auto route = std::make_shared<const CallRoute>(
      CallRoute{.owner = owner,
                .calls = &calls,
                .blocks = {},
                .counters = &counters,
                .streams = &client,
                .queue = std::make_shared<SlotQueue>(&calls, &client, owner, 1000)});
  const DirectChannel channel;
  const MessageTypes types;
  const auto call = std::make_shared<StreamCall>(channel, route, types, "/service/method");
  bool hijacked = false;
  const auto batch = std::make_unique<FirstBatch>([&] {
    hijacked = true;
    call->Abandon();
  });
  grpc::ClientContext context;
  call->Begin(batch.get(), context);
  EXPECT_FALSE(hijacked);

  std::unique_ptr<ServerStream> taken;
  const auto news = server.Run([](Priority) { return true; },
                               [&](std::unique_ptr<ServerStream> stream, Priority) {
                                 taken = std::move(stream);
                                 return std::make_shared<NoUser>();
                               });
  EXPECT_THAT(news.status, IsOk());
  ASSERT_NE(taken, nullptr);
  client.Run();
  EXPECT_TRUE(hijacked);
  EXPECT_TRUE(taken->cancelled());
  client.Ended();
}

}  // namespace
}  // namespace grpc_cxl::internal
