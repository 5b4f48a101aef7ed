// SPDX-License-Identifier: Apache-2.0

// Every kind of call, written with every client API, answered by every server API, gives
// on each transport what it gives on TCP: messages, metadata, trailers and status.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/echo_call.h"

namespace grpc_cxl::e2e {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class CallsTest : public EveryCall {};

TEST_P(CallsTest, MessagesArriveInOrder) {
  const Outcome outcome = pair_.Run(NewCall());
  EXPECT_TRUE(outcome.status.ok()) << outcome;
  std::vector<std::string> got;
  for (const EchoResponse& response : outcome.responses) {
    got.push_back(absl::StrCat(response.requests(), " ", response.payload()));
  }
  const std::map<RpcKind, std::vector<std::string>> want = {
      {RpcKind::kUnary, {"1 payload 0"}},
      {RpcKind::kClientStream, {"3 payload 2"}},
      {RpcKind::kServerStream, {"1 payload 0", "1 payload 0", "1 payload 0"}},
      {RpcKind::kBidi, {"1 payload 0", "2 payload 1", "3 payload 2"}}};
  EXPECT_EQ(got, want.at(kind()));
  EXPECT_THAT(outcome.initial_metadata, IsEmpty());
  EXPECT_THAT(outcome.trailing_metadata, IsEmpty());
}

TEST_P(CallsTest, MetadataPassesBothWays) {
  std::string all_bytes;
  for (int byte = 0; byte < 256; ++byte) all_bytes.push_back(static_cast<char>(byte));
  ClientCall call = NewCall();
  call.prepare = [&all_bytes](grpc::ClientContext* context) {
    context->AddMetadata("initial-text", "blanks and ~!@#$%^&*() are text");
    context->AddMetadata("initial-repeated", "one");
    context->AddMetadata("initial-repeated", "two");
    context->AddMetadata("initial-empty", "");
    context->AddMetadata("initial-binary-bin", all_bytes);
    context->AddMetadata("trailing-text", "the end");
    context->AddMetadata("trailing-repeated-bin", std::string("\0\1", 2));
    context->AddMetadata("trailing-repeated-bin", std::string("\xff\0", 2));
    context->AddMetadata("trailing-large-bin", Pattern(4000));
  };
  const Outcome outcome = pair_.Run(call);
  EXPECT_TRUE(outcome.status.ok()) << outcome;
  EXPECT_THAT(
      outcome.initial_metadata,
      UnorderedElementsAre(Pair("initial-text", "blanks and ~!@#$%^&*() are text"),
                           Pair("initial-repeated", "one"), Pair("initial-repeated", "two"),
                           Pair("initial-empty", ""), Pair("initial-binary-bin", all_bytes)));
  EXPECT_THAT(outcome.trailing_metadata,
              UnorderedElementsAre(Pair("trailing-text", "the end"),
                                   Pair("trailing-repeated-bin", std::string("\0\1", 2)),
                                   Pair("trailing-repeated-bin", std::string("\xff\0", 2)),
                                   Pair("trailing-large-bin", Pattern(4000))));
}

TEST_P(CallsTest, StatusArrivesWhole) {
  for (int code = grpc::OK; code <= grpc::UNAUTHENTICATED; ++code) {
    ClientCall call = NewCall();
    for (EchoRequest& request : call.requests) {
      Script* script = request.mutable_script();
      script->set_code(code);
      script->set_message(code == grpc::OK ? "" : "100 % of \"it\"\nfailed: Grüße, 失败");
      script->set_details(code == grpc::OK ? "" : std::string("\0details\xff", 9));
    }
    call.prepare = [](grpc::ClientContext* context) {
      context->AddMetadata("trailing-beside-it", "yes");
    };
    const Outcome outcome = pair_.Run(call);
    EXPECT_EQ(outcome.status.error_code(), code);
    EXPECT_EQ(outcome.status.error_message(), call.requests[0].script().message());
    EXPECT_EQ(outcome.status.error_details(), call.requests[0].script().details());
    EXPECT_THAT(outcome.trailing_metadata, Contains(Pair("trailing-beside-it", "yes")));
  }
}

// Both sides' whole view of a call, compared word for word with TCP. Only what names the
// transport itself is left out: peer() and the authority (see identity_test.cc).
TEST_P(CallsTest, BothSidesSeeWhatTheySeeOnTcp) {
  EchoPair reference(TransportKind::kTcp, {.api = server_api()});
  ClientCall call = NewCall();
  for (EchoRequest& request : call.requests) request.mutable_script()->set_describe(true);
  call.prepare = [](grpc::ClientContext* context) { context->AddMetadata("initial-x", "y"); };
  std::string seen[2];
  EchoPair* const pairs[] = {&reference, &pair_};
  for (int i = 0; i < 2; ++i) {
    Outcome outcome = pairs[i]->Run(call);
    ASSERT_FALSE(outcome.responses.empty()) << outcome;
    ASSERT_TRUE(outcome.responses[0].has_view());
    CallView* view = outcome.responses[0].mutable_view();
    EXPECT_THAT(view->metadata(), Not(IsEmpty()));
    view->clear_peer();
    view->clear_authority();
    if (IsDirect(std::get<0>(GetParam()))) {
      // Said in direct_calls.h: what the in-process channel does not tell.
      view->clear_auth_properties();
      auto* const metadata = view->mutable_metadata();
      for (int i = metadata->size() - 1; i >= 0; --i) {
        const std::string& key = metadata->Get(i).key();
        if (key == "user-agent" || key == "cxl-peer-bin") metadata->DeleteSubrange(i, 1);
      }
    }
    seen[i] = Describe(outcome);
  }
  EXPECT_EQ(seen[1], seen[0]);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, CallsTest, EveryCombination(), ParamName());
INSTANTIATE_TEST_SUITE_P(Inline, CallsTest, EveryInlineCall(), ParamName());

}  // namespace
}  // namespace grpc_cxl::e2e
