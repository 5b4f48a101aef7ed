// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_BASELINE_REGRESSION_SET_H_
#define GRPC_CXL_BENCH_BASELINE_REGRESSION_SET_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/baseline/baseline.h"
#include "bench/experiments/rounds.h"
#include "bench/harness/control.pb.h"
#include "bench/harness/process_pair.h"

namespace grpc_cxl::bench {

// The fixed set of cases that //bench:regression measures, each over tcp, unix and the cxl
// contenders that it names. A case has two ratios for each contender: the p50 of its calls, and the
// CPU time of both processes per call, divided by the geometric mean of the figures of tcp and
// unix. All figures are medians over interleaved rounds.
//
// Medians come first, then the ratio: while another program took a core a third of the time, this
// ratio stayed within 12 % of that of a quiet machine. The median of the ratios of single rounds
// was off by 38 %, and the ratio of the fastest rounds was doubled: two processes that share the
// remaining core wake each other faster, so the other program improves tcp's best round.
//
// With some calls the adaptive policy settles into one of two states, which differ between pairs of
// processes: 64 KiB once took twice as long as in six other runs, and HTTP/2 with 64 bytes 1.3
// times the CPU time. For these calls the set has only the parking policy.
//
// Used by one thread. Starts processes when they are first needed.
class RegressionSet {
 public:
  struct Contender {
    std::string transport, wait;
  };
  struct CaseOfSet {
    std::string name;  // "sync 64 B"
    Case what;
    std::vector<Contender> contenders;
  };
  struct Measured {
    std::vector<MeasuredRatio> ratios;
    std::optional<double> neighbours;  // share of the machine that other programs used meanwhile
  };

  // All cases, in the order of measurement.
  static const std::vector<CaseOfSet>& Cases();

  // Measures one case in interleaved rounds.
  absl::StatusOr<Measured> Measure(const CaseOfSet& what, const Effort& effort);

 private:
  // The group of a contender, which has one pair.
  absl::StatusOr<PairGroup*> GroupOf(const Contender& contender);

  std::map<std::string, PairGroup> groups_;
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_BASELINE_REGRESSION_SET_H_
