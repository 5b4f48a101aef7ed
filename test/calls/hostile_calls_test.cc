// A lying peer costs its own connection and nothing else: every shared word of direct calls
// is set to what it must not be, and requests and responses are cut, stretched and flipped.

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>

#include "grpc_cxl/calls/call_codec.h"
#include "test/calls/call_pair.h"

namespace grpc_cxl::internal {
namespace {

using Kind = CallOutcome::Kind;

TEST(HostileClientTest, ARequestLargerThanItsBuffer) {
  CallPair pair;
  const int slot = pair.Post("q");
  pair.client_slot(slot).request_bytes = CallPair::kBuffer + 1;
  EXPECT_EQ(pair.Serve("a").code(), absl::StatusCode::kDataLoss);
}

TEST(HostileClientTest, ASlotPostedWhileItsCallRuns) {
  CallPair pair;
  const int slot = pair.Post("q");
  ASSERT_TRUE(pair.server.Run().status.ok());
  pair.client_words().posted ^= uint64_t{1} << slot;
  EXPECT_EQ(pair.server.Run().status.code(), absl::StatusCode::kDataLoss);
}

TEST(HostileClientTest, APartAckedThatWasNotSent) {
  CallPair pair;
  pair.client_words().acked ^= 1;
  EXPECT_EQ(pair.Serve("a").code(), absl::StatusCode::kDataLoss);
}

TEST(HostileClientTest, ACancellationOfNothingIsNothing) {
  CallPair pair;
  pair.client_words().cancelled = ~uint64_t{0};
  EXPECT_TRUE(pair.Serve("a").ok());
  EXPECT_FALSE(pair.server.Ready());
}

TEST(HostileClientTest, AnUnknownWaiterIsNotWokenAndNothingBreaks) {
  CallPair pair;
  const int slot = pair.Post("q");
  pair.client_slot(slot).waiter = 0xffffffff;
  EXPECT_TRUE(pair.Serve("a").ok());
}

TEST(HostileServerTest, AResponseLargerThanItsBuffer) {
  CallPair pair;
  const int slot = pair.Post("q");
  std::optional<CallOutcome> outcome;
  pair.client.WhenDone(slot, [&](CallOutcome o) { outcome = std::move(o); });
  pair.server_slot(slot).part_bytes = CallPair::kBuffer + 1;
  pair.server_slot(slot).word = MakeCallWord(pair.generation, 0, CallState::kDone);
  pair.server_words().news = 1;
  EXPECT_EQ(pair.client.Run().code(), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->kind, Kind::kBroken);
}

TEST(HostileServerTest, PartsOutOfOrderAndStatesThatAreNone) {
  for (const uint32_t word :
       {MakeCallWord(1, 1, CallState::kDone), MakeCallWord(1, 7, CallState::kPart),
        MakeCallWord(1, 0, static_cast<CallState>(5)),
        MakeCallWord(1, 0, static_cast<CallState>(7)),
        MakeCallWord(1, 0, CallState::kPart)}) {  // a part of no bytes
    CallPair pair;
    const int slot = pair.Post("q");
    ASSERT_EQ(pair.generation, 1u);
    pair.server_slot(slot).word = word;
    CallOutcome outcome;
    bool found_spinning;
    ASSERT_EQ(pair.client.Wait(slot, 0, 1'000'000'000, &outcome, &found_spinning),
              ClientCalls::Waited::kDone);
    EXPECT_EQ(outcome.kind, Kind::kBroken) << word;
  }
}

// Words of other calls, and noise, never end a call with a response it did not get.
TEST(HostileServerTest, NoiseInTheWord) {
  std::mt19937 random(1);
  for (int round = 0; round < 400; ++round) {
    CallPair pair;
    const int slot = pair.Post("q");
    pair.server_slot(slot).part_bytes = random() % (2 * CallPair::kBuffer);
    // Half of the words name this call, so that more than the generation is looked at.
    pair.server_slot(slot).word =
        round % 2 ? random() : MakeCallWord(1, random() % 3, {}) | random() % 8;
    CallOutcome outcome;
    bool found_spinning;
    if (pair.client.Wait(slot, 0, 0, &outcome, &found_spinning) == ClientCalls::Waited::kDone) {
      EXPECT_LE(outcome.response.size(), CallPair::kBuffer);
    }
  }
}

std::string Encoded(const RequestView& view) {
  std::string bytes(RequestHeadBytes(view), '\0');
  EncodeRequestHead(view, view.message.size(), absl::MakeSpan(bytes));
  return bytes + std::string(view.message);
}

TEST(CallCodecTest, WhatIsEncodedIsDecoded) {
  const RequestView request = {123, "/p.S/M", {{"a", "1"}, {"a", ""}, {"b-bin", "\0\xff"}}, "msg"};
  const std::string bytes = Encoded(request);
  const auto decoded = DecodeRequest(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->timeout_ns, 123u);
  EXPECT_EQ(decoded->method, "/p.S/M");
  EXPECT_EQ(decoded->metadata, request.metadata);
  EXPECT_EQ(decoded->message, "msg");

  const ResponseView response = {5, "not found", "details", {{"i", "1"}}, {{"t", "2"}}, true, "m"};
  const std::string answer = EncodeResponseHead(response, 1) + "m";
  const auto view = DecodeResponse(answer);
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->code, 5u);
  EXPECT_EQ(view->status_message, "not found");
  EXPECT_EQ(view->status_details, "details");
  EXPECT_EQ(view->initial_metadata, response.initial_metadata);
  EXPECT_EQ(view->trailing_metadata, response.trailing_metadata);
  EXPECT_TRUE(view->has_message);
  EXPECT_EQ(view->message, "m");
}

TEST(CallCodecTest, CutAndStretchedBytesAreErrors) {
  const std::string request = Encoded({1, "/p.S/M", {{"key", "value"}}, "message"});
  const std::string response =
      EncodeResponseHead({0, "text", "details", {{"i", "1"}}, {{"t", "2"}}, true, {}}, 3) + "msg";
  for (size_t length = 0; length < request.size(); ++length) {
    EXPECT_FALSE(DecodeRequest(request.substr(0, length)).ok()) << length;
  }
  for (size_t length = 0; length < response.size(); ++length) {
    EXPECT_FALSE(DecodeResponse(response.substr(0, length)).ok()) << length;
  }
  EXPECT_FALSE(DecodeRequest(request + "x").ok());
  EXPECT_FALSE(DecodeResponse(response + "x").ok());
  for (const char* method : {"", "/", "p.S/M"}) {
    EXPECT_FALSE(DecodeRequest(Encoded({1, method, {}, ""})).ok()) << method;
  }
}

// Whatever comes out of flipped bytes lies inside of what went in.
TEST(CallCodecTest, FlippedBytesNeverReachOutside) {
  std::mt19937 random(2);
  const std::string good[] = {
      Encoded({1, "/p.S/M", {{"key", "value"}, {"k", "v"}}, "message"}),
      EncodeResponseHead({0, "text", "details", {{"i", "1"}}, {{"t", "2"}}, true, {}}, 3) + "msg"};
  const auto inside = [](absl::string_view part, const std::string& whole) {
    return part.empty() || (part.data() >= whole.data() &&
                            part.data() + part.size() <= whole.data() + whole.size());
  };
  for (int round = 0; round < 200'000; ++round) {
    std::string bytes = good[round % 2];
    for (unsigned flips = random() % 4 + 1; flips > 0; --flips) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (const auto request = DecodeRequest(bytes); request.ok()) {
      EXPECT_TRUE(inside(request->method, bytes) && inside(request->message, bytes));
      for (const auto& [key, value] : request->metadata) {
        EXPECT_TRUE(inside(key, bytes) && inside(value, bytes));
      }
    }
    if (const auto response = DecodeResponse(bytes); response.ok()) {
      EXPECT_TRUE(inside(response->status_message, bytes) && inside(response->message, bytes));
    }
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
