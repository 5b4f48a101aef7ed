// Proves that the checker finds every missing write-back and invalidation: for each site in
// turn, the tests of its room run with that one left out, and must fail (or hang, which is what
// an invalidation that is missing in a loop comes to). With none left out, they must pass.

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <thread>

#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/coherence/site.h"
#include "gtest/gtest.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SKIP_UNDER_SANITIZERS() GTEST_SKIP() << "slow, and its tests run under them by themselves"
#else
#define SKIP_UNDER_SANITIZERS() static_cast<void>(0)
#endif

namespace grpc_cxl::internal {
namespace {

const char* const kTests[] = {"ring/ring_test",       "doorbell/doorbell_test", "blocks/block_test",
                              "link/link_test",       "link/far_link_test",     "direct/calls_test",
                              "direct/call_end_test", "region/region_node_test"};

// The one whose business the site is.
std::string TestOf(absl::string_view site) {
  if (absl::StrContains(site, "Region")) return "region/region_node_test";
  if (absl::StrContains(site, "Ring")) return "ring/ring_test";
  if (absl::StrContains(site, "Doorbell")) return "doorbell/doorbell_test";
  if (absl::StrContains(site, "Block")) return "blocks/block_test";
  if (absl::StrContains(site, "StreamClosed")) return "link/far_link_test";
  if (absl::StrContains(site, "Link")) return "link/link_test";
  if (absl::StrContains(site, "Taken") || absl::StrContains(site, "AtEnd")) {
    return "direct/call_end_test";
  }
  CHECK(absl::StrContains(site, "Call")) << site << " has no test";
  return "direct/calls_test";
}

using Seconds = std::chrono::duration<double>;

// What became of a run of `test` in flush mode under the checker, `dropped` left out: "" when
// it passed, "hung" when it took longer than `patience`.
std::string RunTest(const std::string& test, const char* dropped, Seconds patience) {
  const pid_t child = fork();
  PCHECK(child >= 0);
  if (child == 0) {
    setenv("GRPC_CXL_COHERENCE", "flush", 1);
    setenv("GRPC_CXL_CHECK_FLUSHES", "1", 1);
    setenv("GTEST_FAIL_FAST", "1", 1);
    for (const char* variable :
         {"GTEST_OUTPUT", "XML_OUTPUT_FILE", "GTEST_SHARD_INDEX", "GTEST_TOTAL_SHARDS",
          "GTEST_SHARD_STATUS_FILE", "TEST_PREMATURE_EXIT_FILE"}) {
      unsetenv(variable);
    }
    if (dropped != nullptr) setenv("GRPC_CXL_DROP_FLUSH", dropped, 1);
    const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(null, 1);
    dup2(null, 2);
    const std::string path = absl::StrCat("test/", test);  // also for its death tests
    execl(path.c_str(), path.c_str(), static_cast<char*>(nullptr));
    _exit(126);
  }
  const auto start = std::chrono::steady_clock::now();
  int status;
  while (waitpid(child, &status, WNOHANG) == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    if (std::chrono::steady_clock::now() - start < patience) continue;
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return "hung";
  }
  CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 126) << "cannot run test/" << test;
  if (WIFSIGNALED(status)) return absl::StrCat("died of signal ", WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "" : "failed";
}

// How long a test may take that is to fail: many times what it takes when nothing is left out.
Seconds PatienceFor(const std::string& test) {
  static auto* const known = new std::map<std::string, Seconds>;
  const auto [it, is_new] = known->try_emplace(test);
  if (is_new) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(RunTest(test, nullptr, std::chrono::minutes(5)), "") << test;
    it->second = std::max(Seconds(10), 4 * Seconds(std::chrono::steady_clock::now() - start));
  }
  return it->second;
}

TEST(CheckerMutationTest, NothingLeftOutPasses) {
  SKIP_UNDER_SANITIZERS();
  for (const char* test : kTests) PatienceFor(test);
}

class CheckerMutationSiteTest : public ::testing::TestWithParam<const char*> {};

TEST_P(CheckerMutationSiteTest, IsMissed) {
  SKIP_UNDER_SANITIZERS();
  const std::string test = TestOf(GetParam());
  const std::string end = RunTest(test, GetParam(), PatienceFor(test));
  printf("  without %-28s %s %s\n", GetParam(), test.c_str(), end.empty() ? "passes" : end.c_str());
  EXPECT_NE(end, "") << test << " does not notice that " << GetParam() << " is missing";
}

INSTANTIATE_TEST_SUITE_P(Sites, CheckerMutationSiteTest, ::testing::ValuesIn(kSiteNames),
                         [](const ::testing::TestParamInfo<const char*>& info) {
                           return std::string(info.param);
                         });

}  // namespace
}  // namespace grpc_cxl::internal
