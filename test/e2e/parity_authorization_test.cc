// SPDX-License-Identifier: Apache-2.0

// An authorization policy of the server (gRFC A43) decides about direct calls as about others.

#include <grpc/grpc_security.h>
#include <grpcpp/security/authorization_policy_provider.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "test/e2e/parity.h"

namespace grpc_cxl::e2e {
namespace {

// StaticDataAuthorizationPolicyProvider, which Debian's libraries lack: they have what it wraps.
class PolicyProvider final : public grpc::experimental::AuthorizationPolicyProviderInterface {
 public:
  explicit PolicyProvider(const std::string& policy) {
    grpc_status_code code;
    const char* error = nullptr;
    provider_ =
        grpc_authorization_policy_provider_static_data_create(policy.c_str(), &code, &error);
    CHECK(provider_ != nullptr) << error;
  }
  ~PolicyProvider() override { grpc_authorization_policy_provider_release(provider_); }
  grpc_authorization_policy_provider* c_provider() override { return provider_; }

 private:
  grpc_authorization_policy_provider* provider_;
};

using ParityAuthorizationTest = Parity;

TEST_P(ParityAuthorizationTest, AuthorizationPolicy) {
  const auto run = [](TransportKind kind, const std::string& deny, const std::string& allow) {
    const std::string policy =
        absl::StrCat(R"({"name": "policy", "deny_rules": [{"name": "deny", "request": {)", deny,
                     R"(}}], "allow_rules": [{"name": "allow", "request": {)", allow, "}}]}");
    const auto provider = std::make_shared<PolicyProvider>(policy);
    EchoPair pair(kind, {.configure = [&](grpc::ServerBuilder* builder) {
                    builder->experimental().SetAuthorizationPolicyProvider(provider);
                  }});
    Connect(*pair.channel);
    const Paths paths;
    const Outcome outcome = pair.Run(
        {.prepare = [](grpc::ClientContext* context) { context->AddMetadata("role", "guest"); }});
    EXPECT_EQ(paths.direct(), kind == TransportKind::kCxlDirect ? 1u : 0u);
    return Describe(outcome);
  };
  const struct {
    const char *deny, *allow;
    bool allowed;
  } cases[] = {
      {R"("paths": ["*/Unary"])", "", false},
      {R"("paths": ["*/Bidi"])", "", true},
      {R"("headers": [{"key": "role", "values": ["guest"]}])", "", false},
      {R"("paths": ["*/Bidi"])", R"("headers": [{"key": "role", "values": ["admin"]}])", false},
      {R"("paths": ["*/Bidi"])", R"("headers": [{"key": "role", "values": ["guest"]}])", true},
  };
  for (const auto& [deny, allow, allowed] : cases) {
    const std::string over_tcp = run(TransportKind::kTcp, deny, allow);
    EXPECT_TRUE(absl::StartsWith(
        over_tcp, absl::StrCat("code ", allowed ? grpc::OK : grpc::PERMISSION_DENIED, "\n")))
        << over_tcp;
    EXPECT_EQ(run(GetParam(), deny, allow), over_tcp);
  }
}

GRPC_CXL_PARITY_SUITE(ParityAuthorizationTest);

}  // namespace
}  // namespace grpc_cxl::e2e
