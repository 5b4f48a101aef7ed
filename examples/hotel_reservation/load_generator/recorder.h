// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LOAD_GENERATOR_RECORDER_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LOAD_GENERATOR_RECORDER_H_

#include <hdr/hdr_histogram.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "examples/hotel_reservation/load_generator/request_mix.h"
#include "examples/hotel_reservation/load_generator/result.pb.h"

namespace hotel_reservation {

// Durations up to a minute, to three digits. Thread-safe.
class Histogram {
 public:
  Histogram();
  void Record(absl::Duration duration);
  double QuantileMs(double percent) const;  // 0 when empty
  double MaxMs() const;
  int64_t count() const;

 private:
  struct Close {
    void operator()(hdr_histogram* histogram) const { hdr_close(histogram); }
  };
  std::unique_ptr<hdr_histogram, Close> histogram_;
};

// The results of the requests of a run. Thread-safe.
class Recorder {
 public:
  // The run is bad when a request fails or p99 is above the limit.
  explicit Recorder(absl::Duration p99_limit = absl::InfiniteDuration()) : p99_limit_(p99_limit) {}

  // A request of kind kKinds[kind] was due at `due` after the start and ended `latency` later.
  void Record(size_t kind, absl::Duration due, absl::Duration latency, const absl::Status& status);

  // A request was sent `lag` after it was due.
  void RecordSendLag(absl::Duration lag) { send_lag_.Record(lag); }

  // True when a run of that many requests can only be bad. False without a limit.
  bool LimitBroken(int64_t requests) const;

  // Everything but the rates.
  void Fill(LoadResult& result) const;

 private:
  static constexpr size_t kMaxTexts = 10;

  const absl::Duration p99_limit_;
  Histogram all_, send_lag_;
  std::atomic<int64_t> slow_{0}, failed_{0};  // statistics; order nothing
  std::array<Histogram, std::size(kKinds)> by_kind_;

  mutable absl::Mutex mu_;
  std::array<int64_t, std::size(kKinds)> errors_ ABSL_GUARDED_BY(mu_) = {};
  int64_t sold_out_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, int64_t> texts_ ABSL_GUARDED_BY(mu_);
  absl::Duration first_error_ ABSL_GUARDED_BY(mu_) = absl::InfiniteDuration();
  absl::Duration last_error_ ABSL_GUARDED_BY(mu_);
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LOAD_GENERATOR_RECORDER_H_
