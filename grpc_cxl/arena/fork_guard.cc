// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/arena/fork_guard.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <utility>

#ifndef MAP_FIXED_NOREPLACE  // newer than some systems' headers
#define MAP_FIXED_NOREPLACE 0x100000
#endif

namespace grpc_cxl::internal {

// One guarded mapping; never freed, but used again.
struct ForkGuard::Slot {
  std::atomic<bool> taken{false};
  std::atomic<char*> data{nullptr};  // null: nothing to replace
  size_t size = 0;                   // set before `data`
  Slot* next = nullptr;
};

std::atomic<ForkGuard::Slot*> ForkGuard::slots_{nullptr};

// Before main(), so that this handler runs in a child before those of gRPC, which start threads
// there whose stacks might take the addresses.
const int ForkGuard::registered_ = pthread_atfork(nullptr, nullptr, ReplaceInChild);

void ForkGuard::ReplaceInChild() {
  // Matched by the release exchanges and stores of the constructor.
  for (Slot* slot = slots_.load(std::memory_order_acquire); slot != nullptr; slot = slot->next) {
    char* const data = slot->data.load(std::memory_order_acquire);
    if (data == nullptr) continue;
    void* const zeros =
        mmap(data, slot->size, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    // Kernels before 4.17 take the address as a wish.
    if (zeros != MAP_FAILED && zeros != data) munmap(zeros, slot->size);
  }
}

ForkGuard::ForkGuard(char* data, size_t size) : owner_(getpid()) {
  static_cast<void>(registered_);
  madvise(data, size, MADV_DONTFORK);
  Slot* head = slots_.load(std::memory_order_acquire);  // matched by the exchange below
  for (slot_ = head; slot_ != nullptr; slot_ = slot_->next) {
    // acquire: matched by the release store in Release().
    if (!slot_->taken.load(std::memory_order_relaxed) &&
        !slot_->taken.exchange(true, std::memory_order_acquire)) {
      break;
    }
  }
  if (slot_ == nullptr) {
    slot_ = new Slot;
    slot_->taken.store(true, std::memory_order_relaxed);  // published by the exchange below
    do {
      slot_->next = head;
    } while (!slots_.compare_exchange_weak(head, slot_, std::memory_order_acq_rel));
  }
  slot_->size = size;
  slot_->data.store(data, std::memory_order_release);  // matched in ReplaceInChild()
}

ForkGuard::ForkGuard(ForkGuard&& other) noexcept
    : slot_(std::exchange(other.slot_, nullptr)), owner_(std::exchange(other.owner_, 0)) {}

ForkGuard& ForkGuard::operator=(ForkGuard&& other) noexcept {
  if (this == &other) return *this;
  Release();
  slot_ = std::exchange(other.slot_, nullptr);
  owner_ = std::exchange(other.owner_, 0);
  return *this;
}

void ForkGuard::Release() {
  if (slot_ == nullptr) return;
  slot_->data.store(nullptr, std::memory_order_relaxed);
  // Matched by the acquire exchange in the constructor.
  slot_->taken.store(false, std::memory_order_release);
  slot_ = nullptr;
}

bool ForkGuard::IsInherited() const { return owner_ != 0 && owner_ != getpid(); }

}  // namespace grpc_cxl::internal
