// Proves whom we meet: ourselves, root, and those who are named. Nobody else.
#include "grpc_cxl/rendezvous/trusted_users.h"

#include <unistd.h>

#include <string>

#include "gtest/gtest.h"
#include "test/support/forked_child.h"

namespace grpc_cxl::internal {
namespace {

TEST(TrustTest, OurselvesAndRootNeedNoMention) {
  const TrustedUsers nobody_named;
  EXPECT_TRUE(nobody_named.Allows(geteuid()));
  EXPECT_TRUE(nobody_named.Allows(0));
  EXPECT_FALSE(nobody_named.Allows(geteuid() + 1));
  EXPECT_FALSE(nobody_named.Allows(static_cast<uid_t>(-1)));  // "unknown" to the kernel
}

TEST(TrustTest, AnOrdinaryUserMeetsRoot) {
  if (const std::string why = WhyNoOrdinaryUser(); !why.empty()) GTEST_SKIP() << why;
  ForkedChild child(OrdinaryUser(),
                    [] { return TrustedUsers().Allows(0) ? "meets" : "does not meet"; });
  EXPECT_EQ(child.Join(), "meets");
}

TEST(TrustTest, NamedUsersAreMetAndNoOthers) {
  const TrustedUsers some{{1234, 70000}};
  EXPECT_TRUE(some.Allows(1234));
  EXPECT_TRUE(some.Allows(70000));
  EXPECT_TRUE(some.Allows(0));
  EXPECT_TRUE(some.Allows(geteuid()));
  EXPECT_FALSE(some.Allows(1235));
}

}  // namespace
}  // namespace grpc_cxl::internal
