// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_POLLING_CLOSURE_TIMES_H_
#define GRPC_CXL_POLLING_CLOSURE_TIMES_H_

#include <atomic>
#include <cstdint>
#include <optional>

namespace grpc_cxl::internal {

// How long the closures of a poller took of late, which decides where the next ones run: in place,
// with helpers when they would have to wait (see Poller), or, when they delay others by more than
// 50 us on average, on gRPC's own threads.
//
// A closure that slept counts with all of its time: helpers are few, and it would hold one up. One
// that computed counts with a tenth of its CPU time, which makes 500 us the limit: the watchdog
// replaces threads that compute for 2 ms, and below that helpers serve better than gRPC's threads,
// which begin with the newest closure, so that the oldest waits for as long as there are others (of
// handlers of 300 us, 64 in flight, the slowest hundredth took longer than tcp's by a factor of 4).
//
// Being interrupted does not count: with more threads than cores every thread is interrupted for
// milliseconds now and then. (With such interruptions counted, 64 services on 2 cores took half as
// long again: every closure was handed over.) Telling sleep from interruption costs four system
// calls, about 1 us. It is done only while the elapsed time is long; and while what counts is short
// nevertheless, for one of 8 closures on average, chosen by chance, and at least each 16th. So
// closures that become long are noticed up to 15 closures later than if all were measured.
//
// Thread-safe; concurrent updates may get lost, which does no harm.
class ClosureTimes {
 public:
  bool AreShort() const;

  // Of one closure, on the thread that runs it.
  class Timing {
   public:
    // The closure begins. `start_ns` is SteadyNs() of now, or of the previous closure's end.
    Timing(ClosureTimes& times, int64_t start_ns);
    // The closure has ended. Returns SteadyNs().
    int64_t End();

   private:
    struct Done {
      int64_t cpu_ns, sleeps;  // of this thread so far
    };
    static Done DoneSoFar();

    ClosureTimes& times_;
    const int64_t start_ns_;
    std::optional<Done> before_;
  };

  // A Timing's result: how long a closure took, and how much of that counts, if measured.
  void Note(int64_t took_ns, std::optional<int64_t> worked_ns);

 private:
  // Whether to measure what counts of the closure that begins.
  bool MeasureNext();

  // Moving averages; relaxed, as all here: each is a number by itself.
  std::atomic<int64_t> took_ns_{0};
  std::atomic<int64_t> worked_ns_{0};
  // How many closures are not to be measured, and where such numbers come from.
  std::atomic<uint32_t> leave_out_{0};
  std::atomic<uint32_t> random_{1};
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_POLLING_CLOSURE_TIMES_H_
