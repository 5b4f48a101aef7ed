// Proves that neither file descriptors nor mappings pile up over a thousand connections,
// good ones and refused ones.

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "absl/status/status_matchers.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/base/unique_fd.h"
#include "gtest/gtest.h"
#include "test/arena/process_state.h"

namespace grpc_cxl::internal {
namespace {

constexpr int kCycles = 1000;
constexpr size_t kBytes = 64 << 10;

TEST(ArenaLeakTest, CreateAttachAndForget) {
  const int files = OpenFiles();
  for (int i = 0; i < kCycles; ++i) {
    absl::StatusOr<Arena> server = Arena::Create(kBytes, {});
    ASSERT_TRUE(server.ok()) << server.status();
    absl::StatusOr<Arena> client = Arena::Attach(UniqueFd(dup(server->fd())), kBytes, true);
    ASSERT_TRUE(client.ok()) << client.status();
    ASSERT_TRUE(i % 100 != 0 || MappedArenas() == 2);
    if (i % 2 == 0) server->CloseFile();
    Arena kept = *std::move(client);
  }
  EXPECT_EQ(OpenFiles(), files);
  EXPECT_EQ(MappedArenas(), 0);
}

TEST(ArenaLeakTest, RefusedOnesToo) {
  const int files = OpenFiles();
  for (int i = 0; i < kCycles; ++i) {
    ASSERT_FALSE(Arena::Create(size_t{1} << 50, {}).ok());
    absl::StatusOr<Arena> server = Arena::Create(kBytes, {});
    ASSERT_TRUE(server.ok()) << server.status();
    ASSERT_FALSE(Arena::Attach(UniqueFd(dup(server->fd())), 2 * kBytes, true).ok());
    ASSERT_FALSE(Arena::Attach(UniqueFd(open("/dev/null", O_RDWR)), kBytes, true).ok());
  }
  EXPECT_EQ(OpenFiles(), files);
  EXPECT_EQ(MappedArenas(), 0);
}

}  // namespace
}  // namespace grpc_cxl::internal
