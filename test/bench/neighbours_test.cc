// Proves that a busy process is a neighbour when it is not ours, and none when it is. Other tests
// may run beside this one, so shares are compared with each other and never judged alone.

#include "bench/probes/neighbours.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <thread>

#include "bench/probes/usage.h"
#include "gtest/gtest.h"

namespace grpc_cxl::bench {
namespace {

// Uses CPU time, not time: on a busy machine both are not the same.
void Spin(double cpu_seconds) {
  const int64_t end_ns = UsageOf(getpid()).cpu_ns + static_cast<int64_t>(cpu_seconds * 1e9);
  while (UsageOf(getpid()).cpu_ns < end_ns) {
  }
}

// What share of the machine so much CPU time was.
double ShareOf(double cpu_seconds, std::chrono::steady_clock::time_point start) {
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  return cpu_seconds / (time.count() * sysconf(_SC_NPROCESSORS_ONLN));
}

TEST(NeighboursTest, KnowOursFromOthers) {
  const pid_t child = fork();
  if (child == 0) {
    Spin(1e9);
    _exit(0);
  }
  const auto start = std::chrono::steady_clock::now();
  const int64_t before_ns = UsageOf(child).cpu_ns;
  const Neighbours with_child({}), without_child({child});
  while (UsageOf(child).cpu_ns - before_ns < 500'000'000) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const double share = ShareOf((UsageOf(child).cpu_ns - before_ns) / 1e9, start);
  const auto with = with_child.Share(), without = without_child.Share();
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  ASSERT_TRUE(with.has_value() && without.has_value());
  EXPECT_GT(*with, share / 2);
  EXPECT_GT(*with - *without, share / 2);
}

TEST(NeighboursTest, AreNotThisProcess) {
  const Neighbours with_child({});
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = fork();
  if (child == 0) {  // says in percent what it thinks of the others
    const Neighbours others({});
    Spin(0.5);
    _exit(static_cast<int>(std::round(100 * others.Share().value_or(1))));
  }
  int status = 0;
  waitpid(child, &status, 0);
  const double share = ShareOf(0.5, start);
  const auto with = with_child.Share();
  ASSERT_TRUE(with.has_value() && WIFEXITED(status));
  EXPECT_GT(*with - WEXITSTATUS(status) / 100.0, share / 2);
}

}  // namespace
}  // namespace grpc_cxl::bench
