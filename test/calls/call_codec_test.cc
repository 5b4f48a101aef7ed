// SPDX-License-Identifier: Apache-2.0
// Requests and responses come out as they went in, and cut or stretched ones are errors. (That
// no bytes lead outside of what was read is calls_fuzz's to show.)

#include "grpc_cxl/calls/call_codec.h"

#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

using namespace std::string_view_literals;

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
  for (const absl::string_view method : {""sv, "/"sv, "p.S/M"sv, "/p.S/M\0x"sv}) {
    EXPECT_FALSE(DecodeRequest(Encoded({1, method, {}, ""})).ok()) << method;
  }
}

TEST(CallCodecTest, AMessageLiesInTheBufferOrInABlock) {
  const BlockDescriptor block{.begin = 0, .bytes = 1};
  EXPECT_TRUE(DecodeRequest(Encoded({1, "/p.S/M", {}, "", block})).ok());
  EXPECT_FALSE(DecodeRequest(Encoded({1, "/p.S/M", {}, "m", block})).ok());
  const ResponseView response{0, "", "", {}, {}, true, "", block};
  EXPECT_TRUE(DecodeResponse(EncodeResponseHead(response, 0)).ok());
  EXPECT_FALSE(DecodeResponse(EncodeResponseHead(response, 1) + "m").ok());
}

}  // namespace
}  // namespace grpc_cxl::internal
