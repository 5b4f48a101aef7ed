// SPDX-License-Identifier: Apache-2.0

// Which of a client's calls gets the next slot, and that a call that is removed, closed out or sent
// away gets none.

#include "grpc_cxl/direct/slot_queue.h"

#include <grpc/event_engine/event_engine.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/calls/server_call_areas.h"
#include "grpc_cxl/link/link_owner.h"
#include "gtest/gtest.h"
#include "test/support/eventually.h"

namespace grpc_cxl::internal {
namespace {

// A connection with one area, all of whose slots are taken.
class SlotQueueTest : public ::testing::Test {
 protected:
  SlotQueueTest() {
    // The process's, whose timers go on.
    using grpc_event_engine::experimental::EventEngine;
    static const auto* const engine =
        new std::shared_ptr<EventEngine>(grpc_event_engine::experimental::GetDefaultEventEngine());
    EXPECT_NE(*engine, nullptr);
    server_.SetCapacity(1);
    server_.SetAccepting(true);
    while (client_.Acquire() >= 0) {
    }
  }
  uint64_t Add(Priority priority, const std::string& name) {
    const uint64_t ticket = queue_->NewTicket();
    EXPECT_EQ(queue_->Add(ticket, priority,
                          [this, name](int slot) {
                            absl::MutexLock lock(mu_);
                            served_ += name + (slot < 0 ? "- " : " ");
                            return true;
                          }),
              SlotQueue::Added::kYes);
    return ticket;
  }
  void FreeSlot(int slot) {
    client_.Release(slot);
    queue_->Next();
  }
  std::string served() {
    absl::MutexLock lock(mu_);
    return served_;
  }

  struct alignas(kPageBytes) Page {
    char bytes[kPageBytes] = {};
  };
  std::vector<Page> pages_{CallAreaBytes(kPageBytes) / kPageBytes};
  const absl::Span<char> memory_{pages_[0].bytes, pages_.size() * kPageBytes};
  ClientCallAreas client_{memory_,         kPageBytes,
                          /*count=*/1,     [] {},
                          SharedView(),
                          /*polls=*/false, SpinBudget(WaitPolicy::kPark, absl::ZeroDuration()),
                          ArenaPages()};
  ServerCallAreas server_{memory_, kPageBytes,   /*count=*/1, nullptr,
                          [] {},   SharedView(), ArenaPages()};
  absl::Mutex mu_;
  std::string served_ ABSL_GUARDED_BY(mu_);
  const std::shared_ptr<SlotQueue> queue_ = std::make_shared<SlotQueue>(
      &client_, /*streams=*/nullptr, std::weak_ptr<LinkOwner>(), /*most_waiting=*/1000);
};

TEST_F(SlotQueueTest, UrgentCallsGetSlotsFirstAndEachPriorityInOrder) {
  // Where a busy machine makes the first as urgent as the last by its age, again.
  int64_t away = 0;
  for (int64_t took_ns = INT64_MAX; took_ns > AgeingQueue<int>::kStepNs; away += 6) {
    queue_->SendAway();
    EXPECT_TRUE(Eventually([&] {
      const std::string all = served();
      return std::count(all.begin(), all.end(), '-') == away;
    }));
    const int64_t began_ns = SteadyNs();
    for (const char* number : {"1", "2"}) {
      Add(Priority::kBulk, std::string("bulk") + number);
      Add(Priority::kDefault, std::string("default") + number);
      Add(Priority::kInteractive, std::string("interactive") + number);
    }
    took_ns = SteadyNs() - began_ns;
  }
  ASSERT_EQ(queue_->size(), 6u);
  const size_t before = served().size();
  EXPECT_LT(queue_->Acquire(Priority::kInteractive), 0) << "behind those that wait";
  for (int slot = 0; slot < 6; ++slot) FreeSlot(slot);
  EXPECT_EQ(served().substr(before), "interactive1 interactive2 default1 default2 bulk1 bulk2 ");
  EXPECT_EQ(queue_->size(), 0u);
}

TEST_F(SlotQueueTest, WhatIsRemovedOrSentAwayGetsNone) {
  const uint64_t removed = Add(Priority::kDefault, "removed");
  Add(Priority::kDefault, "away");
  queue_->Remove(removed);
  EXPECT_EQ(queue_->size(), 1u);
  queue_->SendAway();
  EXPECT_TRUE(Eventually([this] { return served() == "away- "; }));
  Add(Priority::kDefault, "later");
  FreeSlot(0);
  EXPECT_EQ(served(), "away- later ");
  Add(Priority::kBulk, "last");
  queue_->Close();
  EXPECT_TRUE(Eventually([this] { return served() == "away- later last- "; }));
  EXPECT_EQ(queue_->Add(queue_->NewTicket(), Priority::kDefault, [](int) { return true; }),
            SlotQueue::Added::kClosed);
}

// A connection that was shut down while a call had a slot in hand waits for that.
TEST_F(SlotQueueTest, TheOwnerHearsOfSlotsThatWereNotUsed) {
  struct Owner final : LinkOwner {
    void UserIdle() override { ++idle; }
    void End(absl::Status) override {}
    int idle = 0;
  };
  const auto owner = std::make_shared<Owner>();
  const auto queue = std::make_shared<SlotQueue>(&client_, /*streams=*/nullptr, owner, 1000);
  client_.Release(0);
  const int busy = client_.busy();
  for (const bool gives_back : {false, true}) {
    int before = -1;
    EXPECT_EQ(queue->Add(queue->NewTicket(), Priority::kDefault,
                         [&](int slot) {
                           if (gives_back) client_.Release(slot);
                           before = owner->idle;
                           return gives_back;
                         }),
              SlotQueue::Added::kYes);
    EXPECT_EQ(client_.busy(), busy);
    EXPECT_EQ(owner->idle, before + 1) << gives_back;
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
