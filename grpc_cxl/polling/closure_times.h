// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_POLLING_CLOSURE_TIMES_H_
#define GRPC_CXL_POLLING_CLOSURE_TIMES_H_

#include <atomic>
#include <cstdint>
#include <optional>

namespace grpc_cxl::internal {

// How long the closures of a poller took of late, which decides where the next ones run: up to
// 50 us on average, running one in place is cheaper than handing it over, since a wake-up costs
// 2 to 35 us and often the other core is busy.
//
// A closure counts with the time for which it delays others: all of its time if it slept, else its
// CPU time, since with more threads than cores every thread is interrupted for milliseconds now and
// then. (With such interruptions counted, 64 services on 2 cores took half as long again: every
// closure was handed over.) Telling the two apart costs four system calls, about 1 us, and is done
// only while the elapsed time is long.
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
  // Moving averages; relaxed: each is a number by itself.
  std::atomic<int64_t> took_ns_{0};
  std::atomic<int64_t> worked_ns_{0};
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_POLLING_CLOSURE_TIMES_H_
