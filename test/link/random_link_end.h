#ifndef GRPC_CXL_TEST_LINK_RANDOM_LINK_END_H_
#define GRPC_CXL_TEST_LINK_RANDOM_LINK_END_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <utility>

#include "absl/types/span.h"
#include "grpc_cxl/doorbell/spin_budget.h"
#include "grpc_cxl/link/link.h"

namespace grpc_cxl::internal {

// The byte at each position of a stream under test: whoever receives it tells a lost,
// doubled or moved byte from its position alone.
inline char ByteAt(uint64_t position) {
  const uint64_t block = (position >> 3) * 0x9e3779b97f4a7c15;
  return static_cast<char>((block ^ (block >> 29)) >> (8 * (position & 7)));
}

// One end of a link that writes and reads at the same time, in pieces of random size. How
// far it runs ahead of its peer is random too, and mostly little, so that both ends often
// wait; they sleep when they can do nothing, and at random moments try to all the same.
// One thread.
class RandomLinkEnd {
 public:
  // `state` describes all shared words, for the report of a failure.
  RandomLinkEnd(Link& link, SpinBudget budget, uint32_t seed, std::function<std::string()> state)
      : link_(link), budget_(budget), random_(seed), state_(std::move(state)) {}

  // Sends `messages`, each published by itself, and receives as many. Empty, or what went
  // wrong: a wrong byte, a wake-up that did not come though there was something to do, a
  // peer that is gone.
  std::string Exchange(uint64_t messages);

  uint64_t naps() const { return naps_; }

 private:
  // A step returns whether it got anywhere; what goes wrong ends up in error_.
  bool Send();
  bool Receive();
  bool Step() { return static_cast<int>(Send()) + static_cast<int>(Receive()) > 0; }
  void Take(absl::Span<const char> bytes);
  void NextMessage();
  bool MaySend() const { return left_to_send_ > 0 && left_to_send_ + ahead_ > left_to_receive_; }
  void Spin();
  void SleepUnlessReady();
  void AwaitRing();
  bool LooksReady() const;
  void Fail(const std::string& what);

  Link& link_;
  SpinBudget budget_;
  std::minstd_rand random_;
  const std::function<std::string()> state_;
  std::string error_;
  uint64_t naps_ = 0;

  // A message is the count of its other bytes, two bytes of it, and these, by position.
  std::string outgoing_;
  size_t sent_ = 0;  // of outgoing_
  uint64_t left_to_send_ = 0;
  uint64_t ahead_ = 1;  // how many messages it may have sent more than received
  uint64_t out_position_ = 0;

  int count_bytes_ = 0;  // seen of the incoming message's count
  size_t count_ = 0;     // bytes of it still to come
  uint64_t left_to_receive_ = 0;
  uint64_t in_position_ = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_LINK_RANDOM_LINK_END_H_
