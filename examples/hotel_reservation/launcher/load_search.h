// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_LOAD_SEARCH_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_LOAD_SEARCH_H_

#include "examples/hotel_reservation/load_generator/result.pb.h"

namespace hotel_reservation {

// The services keep up with a load when no request fails and p99 is at most this.
inline constexpr double kP99LimitMs = 100;

enum class StepVerdict {
  kKeptUp,
  kTooHigh,
  kGeneratorLate,  // the generator sent so late that the step says little about the services
};

StepVerdict Judge(const LoadResult& step, double p99_limit_ms);

// Finds the highest load that the services keep up with, from the verdicts of steps. Knows no
// clock.
//
// The load moves from `start` by `factor`, which is squared at every move up to 2, until one load
// was kept up with and another was too high. Then it halves (as a ratio) the distance of the two
// until it is at most `resolution`. One good step shows that a load can be served. A bad one may
// come from another program, so a load is offered up to `attempts` times, and is too high after two
// bad steps in which the generator was not late.
class LoadSearch {
 public:
  struct Rule {
    double start = 400;
    double factor = 2;
    double resolution = 1.2;
    int attempts = 2;
  };
  explicit LoadSearch(const Rule& rule) : rule_(rule), factor_(rule.factor), offered_(rule.start) {}

  // From 400 requests per second upwards, in large steps: finds where to begin.
  static LoadSearch Coarse() { return LoadSearch(Rule()); }
  // Near `start`.
  static LoadSearch Fine(double start) {
    return LoadSearch({.start = start, .factor = 1.06, .resolution = 1.06, .attempts = 3});
  }

  double offered() const { return offered_; }  // in the next step
  void Record(StepVerdict verdict);
  bool done() const { return done_; }
  double highest() const { return highest_; }  // that was kept up with; 0: none
  // Between the highest and the lowest that was too high: where another search should start.
  double Middle() const;

 private:
  Rule rule_;
  double factor_;
  double offered_;
  double highest_ = 0;
  double too_high_ = 0;              // the lowest; 0: none yet
  int attempts_ = 0, failures_ = 0;  // of the load offered now
  bool done_ = false;
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_LOAD_SEARCH_H_
