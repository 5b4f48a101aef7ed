#include "test/doorbell/sleeping_pipe.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <chrono>
#include <new>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "grpc_cxl/doorbell/full_fence.h"

namespace grpc_cxl::internal {
namespace {

using Clock = std::chrono::steady_clock;

// How long a sleeper that could go on waits for its byte before the wake-up counts as
// lost. Generous: the waker may have been taken off its core just before it sends.
constexpr int kStallMs = 10'000;
// And how many times that it waits for anything at all.
constexpr int kMostStalls = 6;

int64_t NanosecondsSince(Clock::time_point start) {
  return std::chrono::nanoseconds(Clock::now() - start).count();
}

}  // namespace

SleepingPipe::SleepingPipe()
    : arena_([] {
        absl::StatusOr<Arena> arena = Arena::Create(sizeof(Memory), {});
        CHECK_OK(arena);
        return *std::move(arena);
      }()),
      memory_(new (arena_.data()) Memory{}) {
  int fds[2];
  CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0) << strerror(errno);
  sockets_[0] = UniqueFd(fds[0]);
  sockets_[1] = UniqueFd(fds[1]);
}

std::string SleepingPipe::State() const {
  std::string state;
  for (const int side : {0, 1}) {
    const Words& words = memory_->words[side];
    absl::StrAppend(&state, " side ", side, ": head ", words.tx.head.load(), " want_space ",
                    words.tx.want_space.load(), " tail ", words.rx.tail.load(), " epoch ",
                    words.doorbell.epoch.load(), ";");
  }
  return state;
}

SleepyEnd::SleepyEnd(SleepingPipe& pipe, int side, bool alone, SpinBudget budget)
    : pipe_(pipe),
      side_(side),
      memory_(pipe.memory_),
      tx_(memory_.At(&pipe.memory_->words[side].tx), memory_.At(&pipe.memory_->words[1 - side].rx),
          memory_.At(absl::MakeSpan(pipe.memory_->data[side])), memory_.view()),
      rx_(memory_.At(&pipe.memory_->words[side].rx), memory_.At(&pipe.memory_->words[1 - side].tx),
          memory_.At(absl::MakeConstSpan(pipe.memory_->data[1 - side])), memory_.view()),
      sleeper_(memory_.At(&pipe.memory_->words[side].doorbell), pipe.sockets_[side].get(),
               memory_.view()),
      waker_(memory_.At(&pipe.memory_->words[1 - side].doorbell), pipe.sockets_[side].get(),
             memory_.view()),
      budget_(budget),
      random_(side + 1),
      far_away_((size_t{64} << 20) / sizeof(uint64_t)) {
  if (alone) pipe.sockets_[1 - side].Reset();
}

SleepyEnd::~SleepyEnd() { shutdown(sleeper_.fd(), SHUT_RDWR); }

// Stores to memory that is in no cache keep the stores behind them waiting in the core's
// store buffer, for as long as a large message would. That is when a missing full fence
// shows on x86: without this, hardly ever.
void SleepyEnd::DelayNextStore() {
  for (int i = 0; i < 4; ++i) far_away_[random_() % far_away_.size()] = i;
}

absl::Status SleepyEnd::Send(uint64_t value) {
  char bytes[sizeof(value)];
  memcpy(bytes, &value, sizeof(value));
  // Waiting for an empty ring makes the reader's last step the one that must ring.
  const size_t space = random_() % 16 == 0 ? tx_.capacity() : sizeof(value);
  absl::Status status = WaitUntil(space, [&]() -> absl::StatusOr<bool> {
    absl::StatusOr<size_t> free = tx_.Free();
    if (!free.ok()) return free.status();
    return *free >= space;
  });
  if (!status.ok()) return status;
  CHECK_OK(tx_.Write(bytes));
  if (random_() % 4 == 0) DelayNextStore();
  tx_.Publish();
  waker_.Wake();
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> SleepyEnd::Receive() {
  absl::Status status = WaitUntil(0, [&]() -> absl::StatusOr<bool> {
    absl::StatusOr<size_t> readable = rx_.Readable();
    if (!readable.ok()) return readable.status();
    return *readable > 0;
  });
  if (!status.ok()) return status;
  uint64_t value;
  CHECK_GE(rx_.Front().size(), sizeof(value));  // values never straddle the end
  memcpy(&value, rx_.Front().data(), sizeof(value));
  if (random_() % 4 == 0) DelayNextStore();
  rx_.Consume(sizeof(value));
  FullFence();
  if (rx_.WriterWantsWake()) waker_.WakeAfterFence();
  return value;
}

absl::Status SleepyEnd::WaitUntil(size_t space,
                                  const std::function<absl::StatusOr<bool>()>& ready) {
  // Now and then to bed without a look, whatever the policy says.
  if (random_() % 64 != 0) {
    absl::StatusOr<bool> found = Spin(ready);
    if (!found.ok() || *found) return found.status();
  }
  while (true) {
    if (space > 0) tx_.WantSpace(space);
    sleeper_.PrepareToSleep();
    absl::StatusOr<bool> found = ready();
    absl::Status status = found.status();
    if (found.ok() && !*found) status = Sleep(ready);
    sleeper_.Awake();
    if (space > 0) tx_.ClearWantSpace();
    if (!status.ok() || *found) return status;
    found = Spin(ready);
    if (!found.ok() || *found) return found.status();
  }
}

absl::StatusOr<bool> SleepyEnd::Spin(const std::function<absl::StatusOr<bool>()>& ready) {
  absl::StatusOr<bool> found = ready();
  if (!found.ok() || *found || budget_.nanoseconds() == 0) return found;
  const Clock::time_point start = Clock::now();
  do {
    found = ready();
    if (!found.ok()) return found;
    if (*found) {
      budget_.SpinFound();
      return true;
    }
  } while (NanosecondsSince(start) < budget_.nanoseconds());
  budget_.SpinWasted();
  return false;
}

absl::Status SleepyEnd::Sleep(const std::function<absl::StatusOr<bool>()>& ready) {
  ++naps_;
  const Clock::time_point start = Clock::now();
  bool could_go_on = false;
  for (int stalls = 0;;) {
    pollfd wait = {.fd = sleeper_.fd(), .events = POLLIN, .revents = 0};
    const int woken = poll(&wait, 1, kStallMs);
    if (woken < 0 && errno == EINTR) continue;
    CHECK_GE(woken, 0) << strerror(errno);
    if (woken > 0) break;
    // The second look in a row tells a lost wake-up from a peer that is slow.
    absl::StatusOr<bool> found = ready();
    if (!found.ok()) return found.status();
    if (*found && could_go_on) {
      return absl::DeadlineExceededError(absl::StrCat(
          "side ", side_, " lost a wake-up: it could go on and sleeps;", pipe_.State()));
    }
    could_go_on = *found;
    if (++stalls == kMostStalls) {
      return absl::DeadlineExceededError(
          absl::StrCat("side ", side_, " waits in vain;", pipe_.State()));
    }
  }
  budget_.SleptFor(NanosecondsSince(start));
  if (sleeper_.Drain() == DoorbellSleeper::Line::kPeerGone) {
    absl::StatusOr<bool> found = ready();  // it may have left after its last word
    if (found.ok() && *found) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat("side ", 1 - side_, " is gone;", pipe_.State()));
  }
  return absl::OkStatus();
}

}  // namespace grpc_cxl::internal
