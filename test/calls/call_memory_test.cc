// SPDX-License-Identifier: Apache-2.0
// Proves that slots of direct calls take memory when they are first used, and that both sides give
// it back at rest, but never a response that is not read.

#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/calls/client_calls.h"
#include "grpc_cxl/calls/server_calls.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kBuffer = kPageBytes;
const ArenaPages kTrusted(Reservation::kOnUse, /*trust_peer=*/true);

class CallMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<Arena> arena = Arena::Create(CallAreaBytes(kBuffer), {}, Reservation::kOnUse);
    ASSERT_TRUE(arena.ok()) << arena.status();
    arena_.emplace(*std::move(arena));
    if (!arena_->pages().on_use() || sysconf(_SC_PAGESIZE) != kPageBytes) {
      GTEST_SKIP() << "the kernel is older than 5.14, or has larger pages";
    }
    const absl::Span<char> area(arena_->data(), arena_->size());
    ASSERT_TRUE(arena_->pages().Reserve(area.subspan(0, kCallWordsBytes)).ok());
    client_.emplace(
        area, kBuffer, [] {}, SharedView(), /*polls=*/false,
        SpinBudget(WaitPolicy::kPark, absl::ZeroDuration()), kTrusted);
    server_.emplace(
        area, kBuffer, [] {}, SharedView(), kTrusted);
    server_->SetAccepting(true);
  }

  // Beyond the words.
  size_t ReservedPages() const {
    struct stat file;
    EXPECT_EQ(fstat(arena_->fd(), &file), 0);
    return (file.st_blocks * 512 - kCallWordsBytes) / kPageBytes;
  }
  int Post(const std::string& request) {
    const int slot = client_->Acquire();
    EXPECT_GE(slot, 0);
    memcpy(client_->RequestBuffer(slot).data(), request.data(), request.size());
    client_->Post(slot, request.size(), SIZE_MAX);
    return slot;
  }
  void Echo() {
    ServerCalls::News news = server_->Run();
    EXPECT_TRUE(news.status.ok()) << news.status;
    for (ServerCalls::TakenCall& call : news.taken) server_->Respond(call.id, call.request);
  }
  std::string Wait(int slot) {
    CallOutcome outcome;
    PastWait past;
    EXPECT_EQ(client_->Wait(slot, 0, 60'000'000'000, &outcome, &past), ClientCalls::Waited::kDone);
    EXPECT_EQ(outcome.kind, CallOutcome::Kind::kResponse);
    return outcome.response;
  }

  std::optional<Arena> arena_;
  std::optional<ClientCalls> client_;
  std::optional<ServerCalls> server_;
};

TEST_F(CallMemoryTest, GrowsWithSlotsInUseAndGoesAtRest) {
  EXPECT_EQ(ReservedPages(), 0);
  for (int round = 0; round < 2; ++round) {
    const int one = Post("one");
    Echo();
    EXPECT_EQ(Wait(one), "one");
    EXPECT_LE(ReservedPages(), 4 + 2) << "at most all slots' words, and two buffers";

    std::vector<int> all;
    for (size_t i = 0; i < kCallSlots; ++i) all.push_back(Post(std::to_string(i)));
    Echo();
    EXPECT_EQ(ReservedPages(), 4 + 2 * kCallSlots);
    for (size_t i = 0; i < kCallSlots; ++i) EXPECT_EQ(Wait(all[i]), std::to_string(i));

    EXPECT_TRUE(client_->MayRest());
    client_->Rest();
    EXPECT_EQ(ReservedPages(), 4 + kCallSlots);
    EXPECT_TRUE(server_->Ready()) << "the client has said that all is read";
    Echo();
    EXPECT_EQ(ReservedPages(), 4) << "words stay";
    EXPECT_FALSE(client_->MayRest());
    EXPECT_FALSE(server_->Ready());
  }
}

TEST_F(CallMemoryTest, AnUnreadResponseStays) {
  const int early = Post("early");
  Echo();
  client_->Rest();
  Echo();
  EXPECT_EQ(Wait(early), "early");
  // The client has said so, and posts once more before the server looks.
  client_->Rest();
  const int late = Post("late");
  Echo();
  Echo();
  EXPECT_EQ(Wait(late), "late");
}

}  // namespace
}  // namespace grpc_cxl::internal
