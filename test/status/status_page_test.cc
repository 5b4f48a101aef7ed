// SPDX-License-Identifier: Apache-2.0
// Proves that a page is read as it was written, also by older and newer programs; that each latency
// has its bucket; and that whatever stands in a page, reading it ends, crashes nothing, and gives
// printable texts.
#include "grpc_cxl/status/status_page.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>

#include "absl/crc/crc32c.h"
#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/ascii.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::StrEq;

StatusPage Example() {
  StatusPage page;
  page.process.pid = 4711;
  SetText(page.process.command, "payments");
  page.threads = {
      {.wait_policy = 1, .reserved = 0, .wake_up = 60'000, .spin = 0, .waits = 0, .sleeps = 0}};
  page.names.resize(1);
  SetText(page.names[0].name, "shop/payments");
  page.networks.resize(2);
  SetText(page.networks[1].reason, std::string(1000, 'x'));
  page.connections.resize(3);
  page.connections[2].latency[kLatencyBuckets - 1] = 7;
  page.network_peers.resize(1);
  SetText(page.network_peers[0].peer, "10.0.0.7:50051");
  return page;
}

// Another checksum, so that the change is looked at.
void Seal(std::string* bytes) {
  const uint32_t checksum = static_cast<uint32_t>(
      absl::ComputeCrc32c(absl::string_view(*bytes).substr(sizeof(StatusHeader))));
  std::memcpy(bytes->data() + offsetof(StatusHeader, checksum), &checksum, sizeof(checksum));
}

TEST(StatusPageTest, IsReadAsItWasWritten) {
  const auto page = DecodeStatus(EncodeStatus(Example()));
  ASSERT_THAT(page, IsOk());
  EXPECT_EQ(page->process.pid, 4711);
  EXPECT_STREQ(page->process.command, "payments");
  EXPECT_THAT(page->threads, ElementsAre(Field(&StatusThread::wake_up, 60'000)));
  EXPECT_THAT(page->names, ElementsAre(Field(&StatusName::name, StrEq("shop/payments"))));
  EXPECT_EQ(std::string(page->networks[1].reason), std::string(kStatusReasonBytes - 1, 'x'));
  ASSERT_EQ(page->connections.size(), 3);
  EXPECT_EQ(page->connections[2].latency[kLatencyBuckets - 1], 7);
  EXPECT_THAT(page->network_peers,
              ElementsAre(Field(&StatusNetworkPeer::peer, StrEq("10.0.0.7:50051"))));
}

TEST(StatusPageTest, TheRestOfAFileThatWasLongerDoesNotMatter) {
  EXPECT_THAT(DecodeStatus(EncodeStatus(Example()) + "old"), IsOk());
}

TEST(StatusPageTest, HalfAPageIsToBeReadAgain) {
  const std::string bytes = EncodeStatus(Example());
  for (const size_t size : {0, 71, 72, 1000}) {
    EXPECT_THAT(DecodeStatus(bytes.substr(0, size)), StatusIs(absl::StatusCode::kUnavailable));
  }
  std::string torn = bytes;
  torn[200] ^= 1;
  EXPECT_THAT(DecodeStatus(torn), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(StatusPageTest, AnotherVersionSaysSo) {
  std::string bytes = EncodeStatus(Example());
  bytes[offsetof(StatusHeader, version)] = 9;
  EXPECT_THAT(DecodeStatus(bytes),
              StatusIs(absl::StatusCode::kFailedPrecondition, testing::HasSubstr("version 9")));
}

// The last section's entries get longer, as by a newer program, and shorter, as by an older one.
TEST(StatusPageTest, EntriesOfOtherLengthsAreRead) {
  StatusPage one;
  one.connections.resize(1);
  one.connections[0].start_time = 5;
  one.connections[0].latency_sum = 6;
  const std::string bytes = EncodeStatus(one);
  for (const int more : {+16, -static_cast<int>(sizeof(StatusConnection) - 24)}) {
    std::string other = bytes;
    other.resize(bytes.size() + more);
    StatusHeader header;
    std::memcpy(&header, other.data(), sizeof(header));
    header.bytes = static_cast<uint32_t>(other.size());
    header.sections[4].entry_bytes += more;
    std::memcpy(other.data(), &header, sizeof(header));
    Seal(&other);
    const auto page = DecodeStatus(other);
    ASSERT_THAT(page, IsOk());
    EXPECT_EQ(page->connections[0].start_time, 5);
    EXPECT_EQ(page->connections[0].latency_sum, more > 0 ? 6 : 0);
  }
}

template <size_t kBytes>
bool IsPrintable(const char (&text)[kBytes]) {
  const char* const end = std::find(text, text + kBytes, '\0');
  return end != text + kBytes &&
         std::all_of(text, end, [](unsigned char c) { return absl::ascii_isprint(c); });
}

TEST(StatusPageTest, HostilePagesAreHarmless) {
  const std::string honest = EncodeStatus(Example());
  std::mt19937 random(1);
  int read = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = honest;
    for (int changes = 1 + random() % 4; changes > 0; --changes) {
      // Half of them in the header.
      const size_t at = random() % (random() % 2 == 0 ? sizeof(StatusHeader) : bytes.size());
      bytes[at] = static_cast<char>(random() % 3 == 0 ? 0xff : random());
    }
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    if (bytes.size() > sizeof(StatusHeader)) Seal(&bytes);
    const auto page = DecodeStatus(bytes);
    if (!page.ok()) continue;
    ++read;
    ASSERT_TRUE(IsPrintable(page->process.command));
    for (const auto& name : page->names) {
      ASSERT_TRUE(IsPrintable(name.name) && IsPrintable(name.last_refusal));
    }
    for (const auto& network : page->networks) ASSERT_TRUE(IsPrintable(network.reason));
    for (const auto& connection : page->connections) ASSERT_TRUE(IsPrintable(connection.name));
    for (const auto& peer : page->network_peers) {
      ASSERT_TRUE(IsPrintable(peer.peer) && IsPrintable(peer.reason));
    }
  }
  EXPECT_GT(read, 1000);
}

// Small entries are those of an older owner, but not so many that they need much memory.
TEST(StatusPageTest, AShortPageHasNoMillionEntries) {
  for (const uint32_t count : {1000u, 1'000'000u}) {
    std::string bytes = EncodeStatus({}) + std::string(count, 'x');
    StatusHeader header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    header.sections[4] = {count, 1};
    header.bytes = static_cast<uint32_t>(bytes.size());
    std::memcpy(bytes.data(), &header, sizeof(header));
    Seal(&bytes);
    EXPECT_EQ(DecodeStatus(bytes).ok(), count == 1000);
  }
}

TEST(StatusPageTest, EachLatencyHasItsBucket) {
  EXPECT_EQ(LatencyBucket(-1), 0);
  EXPECT_EQ(LatencyBucket(INT64_MAX), kLatencyBuckets - 1);
  for (size_t bucket = 0; bucket + 1 < kLatencyBuckets; ++bucket) {
    EXPECT_EQ(LatencyBucket(LatencyBound(bucket) - 1), bucket);
    EXPECT_EQ(LatencyBucket(LatencyBound(bucket)), bucket + 1);
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
