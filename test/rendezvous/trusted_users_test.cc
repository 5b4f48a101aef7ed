// SPDX-License-Identifier: Apache-2.0
// Proves whom we meet: ourselves, root, and the named users. Nobody else. How two real users
// meet and do not: test/e2e/errors_test.cc.
#include "grpc_cxl/rendezvous/trusted_users.h"

#include <unistd.h>

#include <string>

#include "gtest/gtest.h"
#include "test/support/forked_child.h"

namespace grpc_cxl::internal {
namespace {

TEST(TrustedUsersTest, OurselvesRootAndTheNamedOnes) {
  const TrustedUsers nobody_named, some{{1234, 70000}};
  for (const TrustedUsers& users : {nobody_named, some}) {
    EXPECT_TRUE(users.Allows(geteuid()));
    EXPECT_TRUE(users.Allows(0));
    EXPECT_FALSE(users.Allows(geteuid() + 1));
    EXPECT_FALSE(users.Allows(1235));
    EXPECT_FALSE(users.Allows(static_cast<uid_t>(-1)));  // "unknown" to the kernel
  }
  for (const uid_t named : {1234, 70000}) {
    EXPECT_TRUE(some.Allows(named));
    EXPECT_FALSE(nobody_named.Allows(named));
  }
}

TEST(TrustedUsersTest, AnOrdinaryUserMeetsRoot) {
  if (const std::string why = WhyNoOrdinaryUser(); !why.empty()) GTEST_SKIP() << why;
  ForkedChild child(OrdinaryUser(),
                    [] { return TrustedUsers().Allows(0) ? "meets" : "does not meet"; });
  EXPECT_EQ(child.Join(), "meets");
}

}  // namespace
}  // namespace grpc_cxl::internal
