// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_PAYLOAD_MESSAGE_SIZE_PREDICTOR_H_
#define GRPC_CXL_PAYLOAD_MESSAGE_SIZE_PREDICTOR_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace grpc_cxl::internal {

// Predicts whether the next message of a method is large, so that methods with small messages do
// not pay for a look at each: every small message in a row doubles the calls left out before the
// next look, up to kMostSkipped; a large one begins anew.
//
// Methods are told apart by the address of their name, a few hundred of them; beyond that some
// share a prediction. Thread-safe: all accesses are relaxed, and a race
// between threads costs a wrong prediction.
class MessageSizePredictor {
 public:
  static constexpr uint32_t kMostSkipped = 15;

  // Whether to look at this call's message. Record() is to follow if so.
  bool ShouldLook(const void* method) {
    Slot& slot = SlotOf(method);
    const uint32_t left = slot.left.load(std::memory_order_relaxed);
    if (left == 0) return true;
    slot.left.store(left - 1, std::memory_order_relaxed);
    return false;
  }

  void Record(const void* method, bool large) {
    Slot& slot = SlotOf(method);
    uint32_t skip = 0;
    if (!large) {
      skip = 2 * slot.skip.load(std::memory_order_relaxed) + 1;
      if (skip > kMostSkipped) skip = kMostSkipped;
    }
    slot.skip.store(skip, std::memory_order_relaxed);
    slot.left.store(skip, std::memory_order_relaxed);
  }

 private:
  struct Slot {
    std::atomic<uint32_t> left{0};  // calls still to be left out
    std::atomic<uint32_t> skip{0};  // how many were, or are, after the last look
  };

  Slot& SlotOf(const void* method) {
    const auto bits = reinterpret_cast<uintptr_t>(method);
    return slots_[(bits * 0x9e3779b97f4a7c15) >> 56];
  }

  std::array<Slot, 256> slots_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_PAYLOAD_MESSAGE_SIZE_PREDICTOR_H_
