// SPDX-License-Identifier: Apache-2.0
// Proves that slots of direct calls take memory when they are first used, and that both sides give
// it back at rest, but never a request or a response that is not read; and that a call without
// memory is refused.

#include <sys/mman.h>
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
    reserved_ = ReservedPages();
    memcpy(client_->RequestBuffer(slot).data(), request.data(), request.size());
    client_->Post(slot, request.size(), SIZE_MAX);
    return slot;
  }
  void Echo() {
    ServerCalls::News news = server_->Run();
    EXPECT_TRUE(news.status.ok()) << news.status;
    for (ServerCalls::TakenCall& call : news.taken) server_->Respond(call.id, call.request);
  }
  CallOutcome Outcome(int slot) {
    CallOutcome outcome;
    PastWait past;
    EXPECT_EQ(client_->Wait(slot, 0, 60'000'000'000, &outcome, &past), ClientCalls::Waited::kDone);
    return outcome;
  }
  std::string Wait(int slot) {
    const CallOutcome outcome = Outcome(slot);
    EXPECT_EQ(outcome.kind, CallOutcome::Kind::kResponse);
    return outcome.response;
  }
  // As if there were no memory for the area from `begin` on: a reservation fails, a store crashes.
  void SetMemoryFrom(size_t begin, bool there) {
    ASSERT_EQ(mprotect(arena_->data() + begin, arena_->size() - begin,
                       there ? PROT_READ | PROT_WRITE : PROT_READ),
              0);
  }

  std::optional<Arena> arena_;
  std::optional<ClientCalls> client_;
  std::optional<ServerCalls> server_;
  size_t reserved_ = 0;  // before the last request was written
};

TEST_F(CallMemoryTest, GrowsWithSlotsInUseAndGoesAtRest) {
  EXPECT_EQ(ReservedPages(), 0);
  for (int round = 0; round < 2; ++round) {
    const int one = Post("one");
    EXPECT_EQ(reserved_, round == 0 ? 1 + 1 : 4 + 1) << "a page of slots' words, and a buffer";
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
  const int unseen = Post("unseen");
  client_->Rest();
  Echo();
  EXPECT_EQ(Wait(unseen), "unseen");
  // The client has said so, and posts once more before the server looks.
  client_->Rest();
  const int late = Post("late");
  Echo();
  Echo();
  EXPECT_EQ(Wait(late), "late");
}

TEST_F(CallMemoryTest, AClientThatLiesGetsNoMemoryOfRunningCalls) {
  Post("running");
  const ServerCalls::News news = server_->Run();
  ASSERT_EQ(news.taken.size(), 1);
  const size_t before = ReservedPages();
  reinterpret_cast<CallClientWords*>(arena_->data())->calls_read = 1;
  EXPECT_TRUE(server_->Ready());
  Echo();
  EXPECT_EQ(ReservedPages(), before);
}

TEST_F(CallMemoryTest, WithoutMemoryACallIsRefused) {
  SetMemoryFrom(kCallClientSlotsAt, false);
  EXPECT_EQ(client_->Acquire(), -1);
  SetMemoryFrom(kCallClientSlotsAt, true);
  const size_t responses = kCallBuffersAt + kCallSlots * kBuffer;
  for (const char* when : {"at first", "after a rest"}) {
    SCOPED_TRACE(when);
    const int refused = Post("refused");
    SetMemoryFrom(responses, false);
    Echo();
    EXPECT_EQ(Outcome(refused).kind, CallOutcome::Kind::kNotRun);
    SetMemoryFrom(responses, true);
    const int good = Post("good");
    Echo();
    EXPECT_EQ(Wait(good), "good");
    client_->Rest();
    Echo();
  }
}

// The words of its slots: there is nothing to refuse with.
TEST_F(CallMemoryTest, WithoutMemoryForWordsTheConnectionEnds) {
  Post("one");
  SetMemoryFrom(kCallServerSlotsAt, false);
  EXPECT_EQ(server_->Run().status.code(), absl::StatusCode::kResourceExhausted);
  SetMemoryFrom(kCallServerSlotsAt, true);
}

}  // namespace
}  // namespace grpc_cxl::internal
