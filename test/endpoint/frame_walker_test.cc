// SPDX-License-Identifier: Apache-2.0

// Proves where FrameWalker lets a frame be inserted: exactly between two frames, not inside headers
// that go on, not before the first response; and nowhere in what is no HTTP/2 of a server's.

#include "grpc_cxl/endpoint/frame_walker.h"

#include <random>
#include <set>
#include <string>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "test/endpoint/frames.h"

namespace grpc_cxl::internal {
namespace {

absl::Span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

TEST(FrameWalkerTest, FindsThePlacesBetweenFramesHoweverTheBytesAreCut) {
  std::minstd_rand random(1);
  for (int round = 0; round < 300; ++round) {
    std::string stream = Settings();
    std::set<size_t> places;
    bool headers_seen = false;
    for (int i = 0; i < 20; ++i) {
      const size_t size = random() % 5 == 0 ? 0 : random() % 40;
      if (random() % 3 == 0) {
        const int more = static_cast<int>(random() % 3);
        stream += Frame(kHeaders, more == 0 ? kEndHeaders : 0, 1, size);
        for (int left = more; left > 0; --left) {
          stream += Frame(kContinuation, left == 1 ? kEndHeaders : 0, 1, size);
        }
        headers_seen = true;
      } else {
        stream += Frame(kData, 0, 1, size);
      }
      if (headers_seen) places.insert(stream.size());
    }
    FrameWalker all, some;
    std::set<size_t> found;
    for (size_t at = 0; at < stream.size();) {
      const std::string piece = stream.substr(at, 1 + random() % 60);
      const size_t walked = some.Walk(Bytes(piece), /*to_boundary=*/true);
      ASSERT_EQ(all.Walk(Bytes(piece.substr(0, walked)), false), walked);
      ASSERT_TRUE(walked == piece.size() || some.MayInsert());
      at += walked;
      EXPECT_EQ(all.MayInsert(), some.MayInsert());
      if (some.MayInsert()) found.insert(at);
    }
    ASSERT_EQ(found, places) << "round " << round;
  }
}

TEST(FrameWalkerTest, BytesThatDoNotBeginWithSettingsAreNotHttp2) {
  const std::string call = Frame(kHeaders, kEndHeaders, 1, 3);
  std::string tls("\x16\x03\x03\x04\x00\x02\x00\x00\x7a",
                  9);  // a ServerHello, of a type like SETTINGS
  const std::string http1 = "HTTP/1.1 400 Bad Request";
  for (const std::string& first :
       {tls, http1, call, Frame(kSettings, 1, 0, 0), Frame(kSettings, 0, 1, 0),
        Frame(kSettings, 0, 0, 7), Frame(kSettings, 0, 0, 16386)}) {
    FrameWalker walker;
    const std::string stream = first + call + call;
    EXPECT_EQ(walker.Walk(Bytes(stream), true), stream.size());
    EXPECT_FALSE(walker.IsHttp2());
    EXPECT_FALSE(walker.MayInsert());
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
