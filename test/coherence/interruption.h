// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_COHERENCE_INTERRUPTION_H_
#define GRPC_CXL_TEST_COHERENCE_INTERRUPTION_H_

#include <functional>
#include <utility>

#include "test/coherence/checker.h"

namespace grpc_cxl::internal {

// While it lives, runs `what` once, when a side is about to write back the line of `word`: the word
// is stored, and nobody else sees it. One at a time, but `what` may make another.
class Interruption {
 public:
  Interruption(const void* word, std::function<void()> what) {
    Checker::SetHook(word, [this, what = std::move(what)] {
      if (!std::exchange(came_, true)) what();
    });
  }
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  ~Interruption() { Checker::SetHook(nullptr, nullptr); }
  bool came() const { return came_; }

 private:
  bool came_ = false;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_COHERENCE_INTERRUPTION_H_
