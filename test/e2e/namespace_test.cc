// Two processes in two network namespaces, neither with any interface up, share nothing but
// the rendezvous directory: calls of all kinds work.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "test/e2e/child.h"
#include "test/e2e/test_directory.h"

namespace grpc_cxl::e2e {
namespace {

std::vector<std::string> Flags(const std::string& role, const TestDirectory& directory) {
  return {"--role=" + role, "--own_network", "--place=" + directory.path()};
}

TEST(NamespaceTest, CallsNeedNoNetwork) {
  const TestDirectory directory;
  Child server(Flags("server", directory));
  const std::string permitted = server.ReadLine().value_or("nothing");
  if (absl::StrContains(permitted, "no namespace")) {
    GTEST_SKIP() << "network namespaces are not permitted here: " << permitted;
  }
  ASSERT_EQ(permitted, "interfaces up: 0");
  ASSERT_EQ(server.ReadLine(), "serving");
  Child client(Flags("client", directory));
  ASSERT_EQ(client.ReadLine(), "interfaces up: 0");
  for (const char* kind : {"unary", "client_stream", "server_stream", "bidi"}) {
    EXPECT_EQ(client.ReadLine(), std::string(kind) + " 0 ");
  }
  EXPECT_EQ(client.Finish(), 0);
  EXPECT_EQ(server.Finish(), 0);
}

}  // namespace
}  // namespace grpc_cxl::e2e
