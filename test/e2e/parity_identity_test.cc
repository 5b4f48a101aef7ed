// SPDX-License-Identifier: Apache-2.0

// Who the handler thinks the client is, and which host it was asked for.

#include <grpc/impl/channel_arg_names.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "test/e2e/parity.h"

namespace grpc_cxl::e2e {
namespace {

struct Case {
  std::string name;
  std::string authority;  // expected; empty: the transport's own
  std::function<void(grpc::ChannelArguments*)> channel = nullptr;
  std::function<void(grpc::ClientContext*)> prepare = nullptr;
};

void SetDefaultAuthority(grpc::ChannelArguments* arguments) {
  arguments->SetString(GRPC_ARG_DEFAULT_AUTHORITY, "channel.example");
}

std::vector<Case> Cases() {
  return {
      {"nothing set", ""},
      {"prefix and suffix", "",
       [](grpc::ChannelArguments* arguments) {
         arguments->SetUserAgentPrefix("shop/1.0");
         arguments->SetString(GRPC_ARG_SECONDARY_USER_AGENT_STRING, "last");
       }},
      {"in the metadata", "", nullptr,
       [](grpc::ClientContext* context) { context->AddMetadata("user-agent", "mine"); }},
      {"authority of the channel", "channel.example", SetDefaultAuthority},
  };
}

using ParityIdentityTest = Parity;

TEST_P(ParityIdentityTest, UserAgentAndAuthority) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.name);
    const auto run = [&c](TransportKind kind) {
      EchoPair pair(kind, {}, {.configure = c.channel});
      ClientCall call{.prepare = c.prepare};
      call.requests[0].mutable_script()->set_describe(true);
      const Paths paths;
      const Outcome outcome = pair.Run(call);
      EXPECT_EQ(paths.direct(), kind == TransportKind::kCxlDirect ? 1u : 0u);
      EXPECT_TRUE(outcome.status.ok()) << outcome;
      if (!outcome.status.ok()) return std::string();
      const CallView& view = outcome.responses[0].view();
      EXPECT_TRUE(c.authority.empty() || c.authority == view.authority()) << view.authority();
      std::string seen;
      for (const CallView::Entry& entry : view.metadata()) {
        if (entry.key() == "cxl-peer-bin") continue;  // a direct call's own
        absl::StrAppend(&seen, entry.key(), ": ", entry.value(), "\n");
      }
      return seen;
    };
    EXPECT_EQ(run(GetParam()), run(TransportKind::kTcp));
  }
}

GRPC_CXL_PARITY_SUITE(ParityIdentityTest);

}  // namespace
}  // namespace grpc_cxl::e2e
