// SPDX-License-Identifier: Apache-2.0

// Streams and a server's capacity: they hold its places and wait for them as unary calls do.

#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/connection_status.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/priority.h"
#include "grpc_cxl/server_builder.h"
#include "test/e2e/child.h"
#include "test/e2e/holding_server.h"
#include "test/e2e/parity.h"

namespace grpc_cxl::e2e {
namespace {

using internal::Eventually;

// A stream in the callback API, without messages: over when its handler says so.
class OneStream final : private grpc::ClientBidiReactor<EchoRequest, EchoResponse> {
 public:
  OneStream(Echo::Stub& stub, const std::string& name, absl::Duration timeout = absl::Minutes(1),
            Priority priority = Priority::kDefault) {
    SetPriority(&context, priority);
    context.AddMetadata("name", name);
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    stub.async()->Bidi(&context, this);
    StartCall();
  }
  grpc::StatusCode Await() {
    over.WaitForNotification();
    return status.error_code();
  }

  grpc::ClientContext context;
  grpc::Status status;
  absl::Notification over;

 private:
  void OnDone(const grpc::Status& ended) override {
    status = ended;
    over.Notify();
  }
};

// Whether so many wait at a server of this process, soon.
bool AwaitBothWaiting(uint64_t calls, uint64_t streams) {
  return Eventually([&] {
    for (const ConnectionStatus& connection : GetConnectionStatus()) {
      if (connection.direct_calls_waiting == calls && connection.streams_waiting == streams) {
        return true;
      }
    }
    return false;
  });
}

TEST_F(CapacityTest, StreamsHoldPlacesAndWaitForThemAsCallsDo) {
  const auto stub = Start(2);
  OneStream first(*stub, "first");
  ASSERT_TRUE(server_->AwaitHeld(1));
  OneCall second(*stub, "second");
  ASSERT_TRUE(server_->AwaitHeld(2));
  OneStream third(*stub, "third");
  ASSERT_TRUE(AwaitBothWaiting(0, 1));
  OneCall fourth(*stub, "fourth");
  ASSERT_TRUE(AwaitBothWaiting(1, 1));
  OneStream late(*stub, "late", absl::Milliseconds(30)), unwanted(*stub, "unwanted");
  unwanted.context.TryCancel();
  EXPECT_EQ(unwanted.Await(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(late.Await(), grpc::StatusCode::DEADLINE_EXCEEDED);
  ASSERT_TRUE(AwaitBothWaiting(1, 1));
  {
    grpc::ClientContext context;  // on its caller's thread as well
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Milliseconds(10)));
    const auto stream = stub->Bidi(&context);
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  EXPECT_EQ(server_->begun().size(), 2u);
  server_->LetGo(1);  // the stream's place
  ASSERT_TRUE(server_->AwaitHeld(2));
  EXPECT_EQ(first.Await(), grpc::StatusCode::OK);
  server_->LetGo(1);
  EXPECT_EQ(second.Await(), grpc::StatusCode::OK);
  ASSERT_TRUE(server_->AwaitHeld(2));
  EXPECT_EQ(server_->begun(), (std::vector<std::string>{"first", "second", "third", "fourth"}));
  server_->LetAllGo();
  EXPECT_EQ(third.Await(), grpc::StatusCode::OK);
  EXPECT_EQ(fourth.Await(), grpc::StatusCode::OK);
  EXPECT_EQ(server_->most(), 2u);
}

TEST_F(CapacityTest, StreamsBeyondWhatMayWaitAreToldAtOnce) {
  const auto stub = Start(1, /*max_waiting=*/1);
  OneStream runs(*stub, "runs"), waits(*stub, "waits");
  ASSERT_TRUE(server_->AwaitHeld(1));
  OneStream more(*stub, "more");
  EXPECT_EQ(more.Await(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(more.context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 1u);
  OneCall call(*stub, "call");
  EXPECT_EQ(call.Await(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  server_->LetAllGo();
  EXPECT_EQ(runs.Await(), grpc::StatusCode::OK);
  EXPECT_EQ(waits.Await(), grpc::StatusCode::OK);
}

TEST_F(CapacityTest, BulkStreamsTakeHalfOfWhatMayWait) {
  const auto stub = Start(1, /*max_waiting=*/4);
  std::deque<OneStream> streams;
  const auto open = [&](Priority priority) -> OneStream& {
    return streams.emplace_back(*stub, "one", absl::Minutes(1), priority);
  };
  open(Priority::kBulk);
  ASSERT_TRUE(server_->AwaitHeld(1));
  open(Priority::kBulk);
  open(Priority::kBulk);
  ASSERT_TRUE(AwaitBothWaiting(0, 2));
  OneStream more(*stub, "more", absl::Seconds(20), Priority::kBulk);
  EXPECT_EQ(more.Await(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  open(Priority::kDefault);
  open(Priority::kDefault);
  ASSERT_TRUE(AwaitBothWaiting(0, 4));
  server_->LetAllGo();
  for (OneStream& stream : streams) EXPECT_EQ(stream.Await(), grpc::StatusCode::OK);
}

TEST_F(CapacityTest, AStreamsHandlerThatGoesOnAfterTheEndOfItsCallCounts) {
  const auto stub = Start(1);
  OneStream late(*stub, "late", absl::Milliseconds(100));
  ASSERT_TRUE(server_->AwaitHeld(1));
  EXPECT_EQ(late.Await(), grpc::StatusCode::DEADLINE_EXCEEDED);
  OneStream next(*stub, "next", absl::Milliseconds(50));
  EXPECT_EQ(next.Await(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(server_->begun().size(), 1u);
  OneStream last(*stub, "last");
  server_->LetAllGo();
  EXPECT_EQ(last.Await(), grpc::StatusCode::OK);
  EXPECT_EQ(server_->begun(), (std::vector<std::string>{"late", "last"}));
}

TEST_F(CapacityTest, AStreamThatWaitsWhenItsServerShutsDownGoesOn) {
  ServerOptions options = WithCapacity(1);
  options.take_over = true;
  transport_ = Transport::Make(TransportKind::kCxlDirect, options);
  server_ = std::make_unique<HoldingServer>(*transport_);
  const auto stub = Stub(/*max_waiting=*/10);
  OneStream first(*stub, "first");
  ASSERT_TRUE(server_->AwaitHeld(1));
  OneStream waits(*stub, "waits");
  ASSERT_TRUE(AwaitBothWaiting(0, 1));
  HoldingServer next(*transport_);
  std::thread shutdown([this] { Shutdown(server_->server(), absl::InfiniteFuture()); });
  EXPECT_TRUE(Eventually([&] { return server_->begun().size() + next.begun().size() == 2; }));
  EXPECT_EQ((next.begun().empty() ? server_->begun() : next.begun()).back(), "waits over HTTP/2");
  server_->LetAllGo();
  next.LetAllGo();
  EXPECT_EQ(waits.Await(), grpc::StatusCode::OK);
  EXPECT_EQ(first.Await(), grpc::StatusCode::OK);
  shutdown.join();
}

}  // namespace
}  // namespace grpc_cxl::e2e
