// SPDX-License-Identifier: Apache-2.0
// Shows why messages of peers that are not trusted are copied before they are parsed: protobuf
// counts a packed field's varints, reserves space, and decodes them unchecked. A peer that clears
// continuation bits in between has it write past the end.

#include <google/protobuf/arena.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status_matchers.h"
#include "grpc_cxl/payload/block_slices.h"
#include "gtest/gtest.h"
#include "test/link/link_pair.h"
#include "test/support/forked_child.h"

namespace grpc_cxl::internal {
namespace {

using google::protobuf::SourceCodeInfo;

constexpr size_t kVarints = 64'000;  // bytes of the packed field
constexpr size_t kAreaBytes = size_t{1} << 20;
// A few are enough for the overflow, where the peer has a core of its own.
constexpr int kAttempts = 2000, kAttemptsOfTheTrusted = 1'000'000;

// A packed field `path` with `varints` in it.
std::string Message(const std::string& varints) {
  std::string message = "\x0a";
  for (size_t left = varints.size(); left > 0; left >>= 7) {
    message += static_cast<char>((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
  }
  return message + varints;
}

// Memory for one message on an arena. No byte behind the field's own is touched by a parser that
// keeps to what it reserved.
class Canary {
 public:
  Canary() : memory_(kAreaBytes) {}

  // Whether parsing `slice` into this memory leaves the bytes behind the field alone.
  bool SurvivesParsing(const grpc::Slice& slice) {
    std::fill(memory_.begin(), memory_.end(), 'c');
    google::protobuf::ArenaOptions options;
    options.initial_block = memory_.data();
    options.initial_block_size = memory_.size();
    google::protobuf::Arena arena(options);
    auto* const message = google::protobuf::Arena::Create<SourceCodeInfo::Location>(&arena);
    // Whether it succeeds says nothing.
    (void)message->ParseFromArray(slice.begin(), static_cast<int>(slice.size()));
    const auto& field = message->path();
    if (field.Capacity() < 16) return true;
    const auto end = reinterpret_cast<const char*>(field.data() + field.Capacity());
    // Not up to the very end, where the arena keeps its own notes.
    const char* const last = memory_.data() + memory_.size() / 2;
    return std::all_of(end, last, [](char c) { return c == 'c'; });
  }

 private:
  std::vector<char> memory_;
};

// Whether the receiver's memory survives a peer that changes what it has lent.
bool SurvivesAChangingPeer(bool trust_peer) {
  LinkPair link(4096, kAreaBytes);
  const CallBlocks ours{link.server->pool(), link.server->borrower(), trust_peer};
  std::string few(kVarints, '\x81'), many(kVarints, '\x01');
  for (size_t i = 9; i < few.size(); i += 10) few[i] = '\x01';
  const std::string few_message = Message(few), many_message = Message(many);
  auto block = link.client->pool()->Allocate(few_message.size());
  EXPECT_THAT(block, absl_testing::IsOk());
  char* const lent = block->memory().data();
  memcpy(lent, few_message.data(), few_message.size());
  std::atomic<bool> over{false};
  std::thread peer([&] {
    // relaxed: only ends the loop.
    while (!over.load(std::memory_order_relaxed)) {
      memcpy(lent, few_message.data(), few_message.size());
      std::this_thread::yield();
      memcpy(lent, many_message.data(), many_message.size());
      std::this_thread::yield();
    }
  });
  const int attempts = trust_peer ? kAttemptsOfTheTrusted : kAttempts;
  Canary canary;
  bool survives = true;
  for (int i = 0; survives && i < attempts; ++i) {
    const auto descriptor =
        link.client->pool()->Lend(block->memory().subspan(0, few_message.size()));
    EXPECT_TRUE(descriptor.has_value());
    const absl::StatusOr<grpc::Slice> slice = BorrowSlice(ours, *descriptor);
    EXPECT_THAT(slice, absl_testing::IsOk());
    survives = canary.SurvivesParsing(*slice);
    EXPECT_THAT(link.client->pool()->TakeBack(), absl_testing::IsOk());
  }
  over.store(true, std::memory_order_relaxed);
  peer.join();
  return survives;
}

TEST(InPlaceParsingTest, APeerThatIsNotTrustedCannotOverflowUs) {
  EXPECT_TRUE(SurvivesAChangingPeer(/*trust_peer=*/false));
}

// In a child: a protobuf with debug checks ends the process when it sees what it has done.
TEST(InPlaceParsingTest, TrustMeansAllOfOurMemory) {
  ForkedChild child(
      [] { return SurvivesAChangingPeer(/*trust_peer=*/true) ? "survives" : "overflows"; });
  EXPECT_NE(child.Join(), "survives");
}

}  // namespace
}  // namespace grpc_cxl::internal
