#ifndef GRPC_CXL_TEST_DOORBELL_SLEEPING_PIPE_H_
#define GRPC_CXL_TEST_DOORBELL_SLEEPING_PIPE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/doorbell/doorbell.h"
#include "grpc_cxl/doorbell/spin_budget.h"
#include "grpc_cxl/ring/ring_reader.h"
#include "grpc_cxl/ring/ring_writer.h"
#include "test/coherence/test_view.h"

namespace grpc_cxl::internal {

// Two rings, two doorbells and a pair of sockets: the smallest thing in which every
// wake-up there is can be lost (for bytes and for space, on both sides). A forked child
// shares it.
class SleepingPipe {
 public:
  static constexpr size_t kRingBytes = 256;  // 32 values: full as often as empty

  SleepingPipe();

  // Every shared word, for the report of a stall.
  std::string State() const;

 private:
  friend class SleepyEnd;

  struct Words {
    RingWriterWords tx;
    RingReaderWords rx;
    DoorbellWords doorbell;
  };
  struct Memory {
    Words words[2];
    char data[2][kRingBytes];  // [i]: what side i writes
  };

  Arena arena_;
  Memory* const memory_;
  UniqueFd sockets_[2];
};

// One end: sends and receives numbers, and sleeps when it must wait, at random also when
// it need not. Not thread-safe.
class SleepyEnd {
 public:
  // `side` is 0 or 1. `pipe` must outlive this. When this process has only one end
  // (`alone`), the other end's socket is closed here, so that a death there shows.
  SleepyEnd(SleepingPipe& pipe, int side, bool alone, SpinBudget budget);
  ~SleepyEnd();  // the other end sees that this one is gone

  // Both wait as long as the peer is there and something moves. DEADLINE_EXCEEDED with the state of
  // all words when a wake-up was lost, UNAVAILABLE when the peer is gone.
  absl::Status Send(uint64_t value);
  absl::StatusOr<uint64_t> Receive();

  uint64_t naps() const { return naps_; }

 private:
  // `space`: the free bytes that `ready` waits for, or 0.
  absl::Status WaitUntil(size_t space, const std::function<absl::StatusOr<bool>()>& ready);
  absl::StatusOr<bool> Spin(const std::function<absl::StatusOr<bool>()>& ready);
  absl::Status Sleep(const std::function<absl::StatusOr<bool>()>& ready);
  void DelayNextStore();

  SleepingPipe& pipe_;
  const int side_;
  const TestView memory_;
  RingWriter tx_;
  RingReader rx_;
  DoorbellSleeper sleeper_;
  DoorbellWaker waker_;
  SpinBudget budget_;
  std::minstd_rand random_;
  std::vector<uint64_t> far_away_;
  uint64_t naps_ = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_DOORBELL_SLEEPING_PIPE_H_
