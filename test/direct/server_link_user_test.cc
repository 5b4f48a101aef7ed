// SPDX-License-Identifier: Apache-2.0

// What becomes of a connection's calls when it ends while they run, or wait for room.

#include "grpc_cxl/direct/server_link_user.h"

#include <fcntl.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/calls/call_capacity.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/calls/client_calls.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/link/link_layout.h"
#include "grpc_cxl/link/link_owner.h"
#include "gtest/gtest.h"
#include "test/support/socket_pair.h"

namespace grpc_cxl::internal {
namespace {

using Kind = CallOutcome::Kind;

constexpr size_t kBuffer = kPageBytes;
constexpr LinkSizes kSizes{.ring_bytes = kPageBytes, .call_bytes = CallAreaBytes(kBuffer)};

Arena MakeArena() {
  absl::StatusOr<Arena> arena = Arena::Create(ArenaBytes(kSizes), {});
  CHECK_OK(arena);
  return *std::move(arena);
}

std::unique_ptr<Link> MakeLink(Link::Side side, const Arena& memory, UniqueFd socket) {
  UniqueFd copy(fcntl(memory.fd(), F_DUPFD_CLOEXEC, 0));
  PCHECK(copy);
  absl::StatusOr<Arena> arena =
      Arena::Attach(std::move(copy), memory.size(), memory.sealed(), true);
  CHECK_OK(arena);
  auto link = Link::Create(side, *std::move(arena), std::move(socket), kSizes);
  CHECK_OK(link);
  return *std::move(link);
}

struct Owner final : LinkOwner {
  void UserIdle() override {}
  void End(absl::Status) override {}
  std::unique_ptr<ServerLinkUser> user;
};

// Holds its calls.
struct Handler final : CallHandler {
  struct Held final : Cancellable {
    void Cancel() override { cancelled = true; }
    ServerCalls::CallId id{};
    bool cancelled = false;
  };
  absl::Status OnCall(std::shared_ptr<ServerLinkUser> connection, ServerCalls::CallId call,
                      std::string) override {
    held.push_back(std::make_unique<Held>());
    held.back()->id = call;
    connection->Running(call, held.back().get());
    return absl::OkStatus();
  }
  std::shared_ptr<StreamUser> OnStream(std::shared_ptr<ServerLinkUser>,
                                       std::unique_ptr<ServerStream>, StreamTerms,
                                       std::shared_ptr<CallHandler>) override {
    return nullptr;
  }
  std::vector<std::unique_ptr<Held>> held;
};

class ServerLinkUserTest : public ::testing::Test {
 protected:
  ServerLinkUserTest() {
    owner_->user =
        std::make_unique<ServerLinkUser>(server_.get(), kBuffer, /*areas=*/1, nullptr,
                                         /*trust_peer=*/true, "peer", nullptr, capacity_);
    user().Start(owner_);
    user().SetHandler(handler_);
  }
  ServerLinkUser& user() { return *owner_->user; }
  // Posts a call that is left to the polling thread, which is the test.
  void Post(std::optional<CallOutcome>* outcome) {
    const int slot = calls_.Acquire();
    ASSERT_GE(slot, 0);
    calls_.Post(slot, 0, SIZE_MAX);
    calls_.WhenDone(slot, [outcome](CallOutcome its) { *outcome = std::move(its); });
  }

  SocketPair sockets_;
  const Arena memory_ = MakeArena();
  const std::unique_ptr<Link> server_ =
      MakeLink(Link::Side::kServer, memory_, std::move(sockets_.ours));
  const std::unique_ptr<Link> client_ =
      MakeLink(Link::Side::kClient, memory_, std::move(sockets_.theirs));
  ClientCalls calls_{client_->call_area(), kBuffer, [] {}};
  const std::shared_ptr<CallCapacity> capacity_ = std::make_shared<CallCapacity>();
  const std::shared_ptr<Handler> handler_ = std::make_shared<Handler>();
  const std::shared_ptr<Owner> owner_ = std::make_shared<Owner>();
};

// A client that stood still, and was taken for dead, may look again before it knows.
TEST_F(ServerLinkUserTest, ACancellationByTheConnectionsEndIsNoResponse) {
  std::optional<CallOutcome> answered, running;
  Post(&answered);
  Post(&running);
  ASSERT_TRUE(user().Run().ok());
  ASSERT_EQ(handler_->held.size(), 2u);
  user().Respond(handler_->held[0]->id, "answer", 0);
  user().Ended();
  EXPECT_FALSE(handler_->held[0]->cancelled);
  EXPECT_TRUE(handler_->held[1]->cancelled);
  user().Respond(handler_->held[1]->id, "cancelled", 1);
  EXPECT_FALSE(user().Busy());

  ASSERT_TRUE(calls_.Run().ok());
  ASSERT_TRUE(answered.has_value());
  EXPECT_EQ(answered->response, "answer");
  EXPECT_FALSE(running.has_value()) << running->response;
  calls_.Ended();
  ASSERT_TRUE(running.has_value());
  EXPECT_EQ(running->kind, Kind::kLost);
}

class WaitingTest : public ServerLinkUserTest {
 protected:
  WaitingTest() { capacity_->Set(1); }
  std::optional<CallOutcome> outcomes_[3];
};

TEST_F(WaitingTest, CallsThatWaitAreForgottenWithTheirConnection) {
  Post(&outcomes_[0]);
  Post(&outcomes_[1]);
  ASSERT_TRUE(user().Run().ok());
  EXPECT_EQ(capacity_->under_way(), 2u);
  user().Ended();
  EXPECT_EQ(capacity_->under_way(), 1u);
  // The polling thread sees it only now.
  Post(&outcomes_[2]);
  ASSERT_TRUE(user().Run().ok());
  EXPECT_EQ(capacity_->under_way(), 1u);
  user().Respond(handler_->held[0]->id, "", 0);
  EXPECT_EQ(handler_->held.size(), 1u);
  EXPECT_EQ(capacity_->under_way(), 0u);
}

TEST_F(WaitingTest, AndWithoutAnEnd) {
  Post(&outcomes_[0]);
  Post(&outcomes_[1]);
  ASSERT_TRUE(user().Run().ok());
  owner_->user = nullptr;
  EXPECT_EQ(capacity_->under_way(), capacity_->running());
}

}  // namespace
}  // namespace grpc_cxl::internal
