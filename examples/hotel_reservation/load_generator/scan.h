// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LOAD_GENERATOR_SCAN_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LOAD_GENERATOR_SCAN_H_

#include <cstdint>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "examples/hotel_reservation/load_generator/request_mix.h"
#include "examples/hotel_reservation/load_generator/target.h"

namespace hotel_reservation {

// A job in the background that searches as fast as the services answer: `calls` searches at a time,
// each followed by the next, until this is destroyed.
class Scan {
 public:
  // `target` is this object's alone, and outlives it.
  Scan(Target& target, uint64_t seed, int calls);
  ~Scan();  // waits for the searches under way

  // Searches that were answered so far.
  int64_t answered() const;

 private:
  void Run();

  Target& target_;
  RequestMix mix_;
  const int calls_;

  struct State {
    absl::Mutex mu;
    bool stop ABSL_GUARDED_BY(mu) = false;
    int under_way ABSL_GUARDED_BY(mu) = 0;
    int64_t answered ABSL_GUARDED_BY(mu) = 0;
  };
  // Shared, because the last callback may still be about the mutex when this is destroyed.
  const std::shared_ptr<State> state_ = std::make_shared<State>();
  std::thread thread_;  // last, because it uses the other members
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LOAD_GENERATOR_SCAN_H_
