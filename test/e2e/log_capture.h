// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_E2E_LOG_CAPTURE_H_
#define GRPC_CXL_TEST_E2E_LOG_CAPTURE_H_

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/log/log_entry.h"
#include "absl/log/log_sink.h"
#include "absl/log/log_sink_registry.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace grpc_cxl::e2e {

// Keeps what this process logs at this level or above while the object lives, a line each.
class LogCapture final : private absl::LogSink {
 public:
  explicit LogCapture(absl::LogSeverity level = absl::LogSeverity::kError) : level_(level) {
    absl::AddLogSink(this);
  }
  ~LogCapture() override { absl::RemoveLogSink(this); }

  std::string text() {
    absl::MutexLock lock(mu_);
    return text_;
  }

 private:
  void Send(const absl::LogEntry& entry) override {
    if (entry.log_severity() < level_) return;
    absl::MutexLock lock(mu_);
    absl::StrAppend(&text_, entry.text_message(), "\n");
  }

  const absl::LogSeverity level_;
  absl::Mutex mu_;
  std::string text_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_LOG_CAPTURE_H_
