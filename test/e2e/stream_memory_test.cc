// SPDX-License-Identifier: Apache-2.0

// Where there is no memory for the ring of a stream, the stream waits for some, and its connection
// goes on.

#include <errno.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "grpc_cxl/arena/arena_pages.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/direct_calls.h"
#include "test/e2e/calls_fixture.h"
#include "test/support/eventually.h"

namespace {

std::atomic<bool> g_no_memory{false};
// How long it was at most from one refusal to the next, and when the last one was; 0: never.
std::atomic<int64_t> g_longest_pause_ns{0}, g_refused_ns{0};

void NoteRefusal() {
  const int64_t now = grpc_cxl::internal::SteadyNs();
  const int64_t before = g_refused_ns.exchange(now);
  if (before > 0 && now - before > g_longest_pause_ns) g_longest_pause_ns = now - before;
}

}  // namespace

// In front of the C library's.
extern "C" int madvise(void* data, size_t size, int advice) noexcept {
  constexpr int kPopulateWrite = 23;  // newer than some systems' headers
  if (advice == kPopulateWrite && g_no_memory) {
    NoteRefusal();
    errno = ENOMEM;
    return -1;
  }
  return static_cast<int>(syscall(SYS_madvise, data, size, advice));
}

namespace grpc_cxl::e2e {
namespace {

TEST(StreamMemoryTest, AStreamWaitsForMemoryAndItsConnectionGoesOn) {
  const char page = 0;
  const absl::Status status =
      internal::ArenaPages(internal::Reservation::kOnUse).Reserve(absl::MakeConstSpan(&page, 1));
  if (!status.ok()) GTEST_SKIP() << "older than Linux 5.14? " << status;
  EchoPair pair(TransportKind::kCxlDirect);
  EXPECT_TRUE(pair.Run({}).status.ok());
  const Since<DirectCallStats> since{GetDirectCallStats};
  for (const bool of_client : {true, false}) {
    SCOPED_TRACE(of_client ? "the client's ring" : "the server's ring");
    grpc::ClientContext context;
    WithDeadline(absl::Seconds(30))(&context);
    const auto stream = pair.stub->Bidi(&context);
    EchoRequest request;
    constexpr size_t kSmall = 100, kPages = 3 * 4096;
    request.set_payload(Pattern(of_client ? kPages : kSmall));
    request.mutable_script()->set_response_bytes(of_client ? kSmall : kPages);
    EchoResponse response;
    ASSERT_TRUE(stream->Write(request));
    ASSERT_TRUE(stream->Read(&response));
    g_longest_pause_ns = g_refused_ns = 0;
    g_no_memory = true;
    std::thread caller([&] {
      EXPECT_TRUE(stream->Write(request));
      EXPECT_TRUE(stream->Read(&response));
    });
    // Until the stream is flushed for the sake of nothing but memory.
    EXPECT_TRUE(internal::Eventually([] { return g_longest_pause_ns > 50'000'000; }));
    EXPECT_TRUE(pair.Run({}).status.ok()) << "it has its memory";
    g_no_memory = false;
    caller.join();
    EXPECT_EQ(response.requests(), 2u);
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
  }
  EXPECT_EQ(since(&DirectCallStats::direct_streams), 2u);
}

}  // namespace
}  // namespace grpc_cxl::e2e
