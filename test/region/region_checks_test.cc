// SPDX-License-Identifier: Apache-2.0

// The checks R7 to R11 and R13 of docs/protocol.md: nonsense that another host writes into an
// entry, one field at a time, is not believed; the same entry without nonsense is.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "grpc_cxl/region/membership.h"
#include "grpc_cxl/region/peer_lease.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_allocator.h"
#include "grpc_cxl/region/region_beat.h"
#include "grpc_cxl/region/region_connector.h"
#include "grpc_cxl/region/region_listener.h"
#include "grpc_cxl/region/region_servers.h"
#include "test/support/eventually.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

constexpr uint64_t kBytes = 2 << 20;

// A host with one process. The test's thread looks; no other does.
struct Host {
  Host(const std::string& path, uint32_t number)
      : region(*Region::Open({.path = path, .host = number, .model = {}})),
        beat(region, *Membership::Join(region)) {}
  uint64_t Name(const std::string& text) { return Name(text, beat.self()); }
  uint64_t Name(const std::string& text, const ProcessRef& owner) {
    const Region::HostLock lock(*region);
    NameRecord record{.id = 0, .owner = owner, .text = text};
    WriteName(*region, 0, record);
    return record.id;
  }

  const std::shared_ptr<Region> region;
  RegionBeat beat;
};

class RegionChecksTest : public ::testing::Test {
 protected:
  // A lease that no pause of the test outlives.
  static std::string Formatted(const std::string& path) {
    EXPECT_THAT(FormatRegion(path, {.hosts = 3, .bytes = kBytes, .lease = absl::Minutes(10)}),
                IsOk());
    return path;
  }

  const TemporaryDirectory directory_;
  const std::string path_ = Formatted(directory_.path() + "/region");
  Host server_{path_, 0};
  Host client_{path_, 1};
};

TEST_F(RegionChecksTest, R7ProcessesOutsideOfTheTable) {
  // A name's id and owner.index, where entry 64 would have its incarnation and pid.
  const uint64_t name_id = server_.Name("a", {.index = 4711});
  const auto is_dead = [&](ProcessRef peer) {
    return PeerLease(client_.region, client_.beat.self(), peer).Expired();
  };
  EXPECT_FALSE(is_dead(server_.beat.self()));
  const ProcessRef behind{.host = 0, .index = kHostProcesses, .incarnation = name_id};
  EXPECT_TRUE(is_dead(behind));
  EXPECT_EQ(PidOf(*client_.region, behind), 0);
  for (const uint32_t host : {3u, UINT32_MAX}) {
    EXPECT_TRUE(is_dead({.host = host, .index = 0, .incarnation = 0})) << host;
  }
}

TEST_F(RegionChecksTest, R8TextsThatAreNotTheName) {
  RegionServers servers(client_.region, client_.beat.self());
  using std::string_literals::operator""s;
  for (const std::string& text : {""s, "pay"s, "payments2"s, "Payments"s, "\0payments"s,
                                  std::string(kNameWords * 8, '\xff')}) {
    server_.Name(text);
    EXPECT_THAT(servers.Find("payments"), StatusIs(absl::StatusCode::kUnavailable)) << text;
  }
  server_.Name("payments");
  EXPECT_THAT(servers.Find("payments"), IsOk());
}

TEST_F(RegionChecksTest, R9RequestsThatAreNotForTheServersName) {
  RegionListener listener(server_.region, server_.beat.self());
  int calls = 0;
  const uint64_t number = *listener.Listen("a", [&](const auto&) { ++calls; });
  const uint64_t name_id = ReadName(*server_.region, 0, 0)->id;
  const auto ask = [&](const std::function<void(RequestRecord&)>& change) {
    RequestRecord request{.state = RequestState::kOpen,
                          .owner = client_.beat.self(),
                          .to_host = 0,
                          .to_name = 0,
                          .to_name_id = name_id};
    change(request);
    const Region::HostLock lock(*client_.region);
    WriteRequest(*client_.region, 0, request);
    SharedU64& made = client_.region->mine().words.requests_made;
    client_.region->Store(made, made.load() + 1);
  };
  const std::vector<std::function<void(RequestRecord&)>> nonsense = {
      [](auto& request) { request.state = RequestState::kClosed; },
      [](auto& request) { request.state = RequestState{0}; },
      [](auto& request) { request.to_host = 2; },
      [](auto& request) { request.to_host = UINT32_MAX; },
      [](auto& request) { request.to_name = 1; },
      [](auto& request) { request.to_name = UINT32_MAX; },
      [](auto& request) { ++request.to_name_id; },
      [](auto& request) { request.owner.index = kHostProcesses; },
  };
  for (size_t i = 0; i < nonsense.size(); ++i) {
    ask(nonsense[i]);
    EXPECT_FALSE(listener.LookForRequests()) << i;
  }
  EXPECT_EQ(calls, 0);
  ask([](auto&) {});
  EXPECT_TRUE(listener.LookForRequests());
  EXPECT_EQ(calls, 1);
  listener.StopListening(number);
}

// Answers to a client by host 0, which says anything.
class RegionAnswerChecksTest : public RegionChecksTest {
 protected:
  RegionAnswerChecksTest() { server_.Name("a"); }

  void Ask() {
    result_.reset();
    ASSERT_NE(connector_.Connect("a", 0, [&](auto offer) { result_ = std::move(offer); }), 0);
  }
  void Answer(const std::function<void(AnswerRecord&)>& change) {
    AnswerRecord answer{.state = AnswerState::kOffered,
                        .owner = server_.beat.self(),
                        .to_host = 1,
                        .to_request = 0,
                        .to_request_id = ReadRequest(*client_.region, 1, 0)->id,
                        .offset = client_.region->memory_begin(0),
                        .bytes = kPageBytes};
    change(answer);
    const Region::HostLock lock(*server_.region);
    WriteAnswer(*server_.region, 0, answer);
    SharedU64& made = server_.region->mine().words.answers_made;
    server_.region->Store(made, made.load() + 1);
  }

  const std::shared_ptr<void> keep_ = std::make_shared<int>();
  RegionConnector connector_{client_.region, client_.beat};
  std::optional<absl::StatusOr<RegionOffer>> result_;
};

TEST_F(RegionAnswerChecksTest, R10AnswersToOtherRequests) {
  Ask();
  const std::vector<std::function<void(AnswerRecord&)>> nonsense = {
      [](auto& answer) { answer.to_host = 0; },
      [](auto& answer) { answer.to_host = UINT32_MAX; },
      [](auto& answer) { answer.to_request = 1; },
      [](auto& answer) { answer.to_request = UINT32_MAX; },
      [](auto& answer) { ++answer.to_request_id; },
  };
  for (size_t i = 0; i < nonsense.size(); ++i) {
    Answer(nonsense[i]);
    EXPECT_FALSE(connector_.LookForAnswers(keep_)) << i;
  }
  EXPECT_FALSE(result_.has_value());
  Answer([](auto&) {});
  EXPECT_TRUE(connector_.LookForAnswers(keep_));
  EXPECT_THAT(*result_, IsOk());
}

TEST_F(RegionAnswerChecksTest, R11MemoryThatIsNotTheServers) {
  const uint64_t begin = client_.region->memory_begin(0);
  const uint64_t all = client_.region->memory_per_host();
  const struct {
    uint64_t offset, bytes;
  } nonsense[] = {
      {begin, 0},
      {begin, 100},
      {begin + 100, kPageBytes},
      {0, kPageBytes},
      {begin - kPageBytes, kPageBytes},
      {begin + all, kPageBytes},
      {begin + kPageBytes, all},
      {begin, all + kPageBytes},
      {0 - uint64_t{kPageBytes}, 2 * kPageBytes},
      {begin + kPageBytes, 0 - uint64_t{kPageBytes}},
  };
  for (const auto& [offset, bytes] : nonsense) {
    Ask();
    Answer([&](auto& answer) {
      answer.offset = offset;
      answer.bytes = bytes;
    });
    EXPECT_TRUE(connector_.LookForAnswers(keep_));
    EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kFailedPrecondition,
                                   HasSubstr("are not part of its memory")))
        << offset << " " << bytes;
  }
  Ask();
  Answer([&](auto& answer) { answer.bytes = all; });
  EXPECT_TRUE(connector_.LookForAnswers(keep_));
  EXPECT_THAT(*result_, IsOk());
}

TEST_F(RegionChecksTest, R13AnswersOfItsOwnHostThatMakeNoSense) {
  const Region::HostLock lock(*server_.region);
  const uint64_t begin = server_.region->memory_begin(0);
  const auto reserve = [&](uint64_t offset, uint64_t bytes) {
    const Region& region = *server_.region;
    region.mutex().AssertHeld();
    AnswerRecord first{.offset = begin, .bytes = 4 * kPageBytes};
    WriteAnswer(region, 0, first);
    AnswerRecord second{.offset = offset, .bytes = bytes};
    WriteAnswer(region, 1, second);
    AnswerRecord record;
    return ReserveMemory(region, kPageBytes, record).status();
  };
  EXPECT_THAT(reserve(begin + 3 * kPageBytes, kPageBytes),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("two connections have")));
  EXPECT_THAT(reserve(begin - kPageBytes, kPageBytes),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("are not part of its memory")));
  EXPECT_THAT(reserve(begin + 4 * kPageBytes, kPageBytes), IsOk());
}

TEST_F(RegionChecksTest, R14DamagedEntries) {
  // Of a process that lives.
  ProcessEntry& process = server_.region->mine().processes[0];
  const uint64_t nonce = process.nonce;
  process.nonce = nonce + 1;
  EXPECT_TRUE(Eventually([&] { return process.nonce == nonce; }));
  EXPECT_FALSE(server_.region->IsGivenUp());
  // Of one that is gone.
  AnswerRecord answer{.offset = server_.region->memory_begin(2), .bytes = kPageBytes};
  {
    const auto gone = *Region::Open({.path = path_, .host = 2, .model = {}});
    const Region::HostLock lock(*gone);
    WriteAnswer(*gone, 0, answer);
  }
  AnswerEntry& entry = server_.region->control(2).answers[0];
  EXPECT_TRUE(ReadAnswer(*client_.region, 2, 0).has_value());
  entry.bytes = 2 * kPageBytes;
  EXPECT_FALSE(ReadAnswer(*client_.region, 2, 0).has_value());
  {
    const auto region = *Region::Open({.path = path_, .host = 2, .model = {}});
    const Region::HostLock lock(*region);
    EXPECT_THAT(ReserveMemory(*region, kPageBytes, answer),
                StatusIs(absl::StatusCode::kUnavailable, HasSubstr("is damaged")));
  }
  const Host next(path_, 2);
  EXPECT_EQ(entry.id, 0);
}

}  // namespace
}  // namespace grpc_cxl::internal
