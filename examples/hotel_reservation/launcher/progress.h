// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_PROGRESS_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_PROGRESS_H_

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace hotel_reservation {

// A progress bar on stderr, if that is a terminal.
class Progress {
 public:
  // `expected` is the estimated duration; after it the bar stays full.
  explicit Progress(absl::Duration expected) : expected_(expected) {}
  ~Progress() {
    if (terminal_) std::fputs("\r\033[K", stderr);
  }

  void Show(absl::string_view where, absl::string_view what) {
    if (!terminal_) return;
    constexpr int kWidth = 30;
    const double share = std::min(absl::FDivDuration(absl::Now() - start_, expected_), 0.99);
    const std::string done(static_cast<size_t>(share * kWidth), '#');
    absl::FPrintF(stderr, "\r\033[K[%-*s] %2.0f %%  %s: %s", kWidth, done, share * 100, where,
                  what);
    std::fflush(stderr);
  }

 private:
  const absl::Duration expected_;
  const absl::Time start_ = absl::Now();
  const bool terminal_ = isatty(STDERR_FILENO);
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_PROGRESS_H_
