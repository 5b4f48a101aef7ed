// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/load_generator/recorder.h"

#include <algorithm>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"

namespace hotel_reservation {
namespace {

constexpr int64_t kLowestNs = 1000;
constexpr int64_t kHighestNs = 60'000'000'000;
constexpr int kDigits = 3;

// Dense where the tail is.
constexpr double kPercents[] = {0,    10,    20,   30,    40,     50,    60,     70,
                                80,   85,    90,   92.5,  95,     97.5,  98.75,  99,
                                99.5, 99.75, 99.9, 99.95, 99.975, 99.99, 99.999, 100};

}  // namespace

Histogram::Histogram() {
  hdr_histogram* histogram = nullptr;
  CHECK_EQ(hdr_init(kLowestNs, kHighestNs, kDigits, &histogram), 0);
  histogram_.reset(histogram);
}

void Histogram::Record(absl::Duration duration) {
  hdr_record_value_atomic(histogram_.get(),
                          std::clamp(absl::ToInt64Nanoseconds(duration), int64_t{0}, kHighestNs));
}

double Histogram::QuantileMs(double percent) const {
  return count() == 0 ? 0 : hdr_value_at_percentile(histogram_.get(), percent) / 1e6;
}

double Histogram::MaxMs() const { return count() == 0 ? 0 : hdr_max(histogram_.get()) / 1e6; }

int64_t Histogram::count() const { return histogram_->total_count; }

void Recorder::Record(size_t kind, absl::Duration due, absl::Duration latency,
                      const absl::Status& status) {
  // A full hotel is a correct answer.
  const bool sold_out =
      kind == FrontendRequest(ReserveRequest()).index() && absl::IsResourceExhausted(status);
  if (status.ok() || sold_out) {
    all_.Record(latency);
    if (latency > p99_limit_) slow_.fetch_add(1, std::memory_order_relaxed);
    by_kind_[kind].Record(latency);
    if (!sold_out) return;
  }
  absl::MutexLock lock(mu_);
  if (sold_out) {
    ++sold_out_;
    return;
  }
  failed_.fetch_add(1, std::memory_order_relaxed);
  ++errors_[kind];
  first_error_ = std::min(first_error_, due);
  last_error_ = std::max(last_error_, due);
  std::string text = absl::StrCat(kKinds[kind], ": ", absl::StatusCodeToString(status.code()), ": ",
                                  status.message().substr(0, 200));
  if (texts_.size() >= kMaxTexts && !texts_.contains(text)) text = "others";
  ++texts_[text];
}

bool Recorder::LimitBroken(int64_t requests) const {
  return p99_limit_ != absl::InfiniteDuration() &&
         (failed_.load(std::memory_order_relaxed) > 0 ||
          slow_.load(std::memory_order_relaxed) > requests / 100);
}

void Recorder::Fill(LoadResult& result) const {
  absl::MutexLock lock(mu_);
  result.set_served(all_.count());
  result.set_sold_out(sold_out_);
  result.set_p50_ms(all_.QuantileMs(50));
  result.set_p99_ms(all_.QuantileMs(99));
  result.set_p999_ms(all_.QuantileMs(99.9));
  result.set_max_ms(all_.MaxMs());
  result.set_send_lag_p99_ms(send_lag_.QuantileMs(99));
  for (size_t kind = 0; kind < std::size(kKinds); ++kind) {
    KindResult& added = *result.add_kinds();
    added.set_kind(kKinds[kind]);
    added.set_served(by_kind_[kind].count());
    added.set_errors(errors_[kind]);
    added.set_p50_ms(by_kind_[kind].QuantileMs(50));
    added.set_p99_ms(by_kind_[kind].QuantileMs(99));
    result.set_errors(result.errors() + errors_[kind]);
  }
  for (const auto& [text, count] : texts_) (*result.mutable_errors_by_text())[text] = count;
  if (result.errors() > 0) {
    result.set_first_error_s(absl::ToDoubleSeconds(first_error_));
    result.set_last_error_s(absl::ToDoubleSeconds(last_error_));
  }
  for (const double percent : kPercents) {
    Quantile& added = *result.add_distribution();
    added.set_percent(percent);
    added.set_ms(all_.QuantileMs(percent));
  }
}

}  // namespace hotel_reservation
