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
// contenders that it names. A case has two ratios for each of them: p50 of its calls, and CPU time
// of both processes for one, divided by the geometric mean of that over tcp and over unix, each
// the median of interleaved rounds.
//
// Medians first, then the ratio: with a neighbour that took a core a third of the time, that
// stayed within 12 % of the ratio of a quiet machine. The median of the ratios of single rounds
// was off by 38 %, that of the fastest rounds was doubled: two processes that share the core which
// is left wake each other faster, so a neighbour makes tcp's best round better.
//
// Where the adaptive policy finds two ways to live with the same calls, and some pairs of
// processes take the one and some the other, the set has the parking one alone: 64 KiB once took
// twice as long as in six other runs, and HTTP/2 with 64 bytes 1.3 times the CPU time.
//
// Used by one thread. Processes are started when they are first needed.
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
    std::optional<double> neighbours;  // the share of the machine that others took meanwhile
  };

  // All of them, in the order in which they are measured.
  static const std::vector<CaseOfSet>& Cases();

  // Measures one case in interleaved rounds.
  absl::StatusOr<Measured> Measure(const CaseOfSet& what, const Effort& effort);

 private:
  // The pair of a contender, which is at index 0 of its group.
  absl::StatusOr<PairGroup*> GroupOf(const Contender& contender);

  std::map<std::string, PairGroup> groups_;
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_BASELINE_REGRESSION_SET_H_
