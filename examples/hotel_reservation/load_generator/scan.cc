// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/load_generator/scan.h"

#include <variant>

namespace hotel_reservation {

Scan::Scan(Target& target, uint64_t seed, int calls)
    : target_(target), mix_(seed), calls_(calls), thread_([this] { Run(); }) {}

Scan::~Scan() {
  {
    absl::MutexLock lock(state_->mu);
    state_->stop = true;
  }
  thread_.join();
  absl::MutexLock lock(state_->mu);
  state_->mu.Await(absl::Condition(
      +[](int* under_way) { return *under_way == 0; }, &state_->under_way));
}

int64_t Scan::answered() const {
  absl::MutexLock lock(state_->mu);
  return state_->answered;
}

void Scan::Run() {
  State& state = *state_;
  const auto may_go_on = [this, &state]() ABSL_SHARED_LOCKS_REQUIRED(state.mu) {
    return state.stop || state.under_way < calls_;
  };
  for (;;) {
    const FrontendRequest request = mix_.Next();
    if (!std::holds_alternative<SearchHotelsRequest>(request)) continue;
    {
      absl::MutexLock lock(state.mu);
      state.mu.Await(absl::Condition(&may_go_on));
      if (state.stop) return;
      ++state.under_way;
    }
    target_.Send(request, [state = state_](const absl::Status& status) {
      absl::MutexLock lock(state->mu);
      --state->under_way;
      state->answered += status.ok();
    });
  }
}

}  // namespace hotel_reservation
