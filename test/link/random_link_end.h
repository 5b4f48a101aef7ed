// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_LINK_RANDOM_LINK_END_H_
#define GRPC_CXL_TEST_LINK_RANDOM_LINK_END_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "grpc_cxl/doorbell/spin_budget.h"
#include "grpc_cxl/link/link.h"

namespace grpc_cxl::internal {

// One end of a link that writes and reads the stream of stream_bytes.h at the same time, in
// pieces of random size. How far it runs ahead of its peer is random too, and mostly little,
// so that both ends often wait; they sleep when they can do nothing, and at random moments try
// to all the same. One thread.
class RandomLinkEnd {
 public:
  // `state` describes all shared words, for the report of a failure. With `far_bytes`, memory
  // much larger than the caches, some stores are held up: a missing full fence then shows.
  RandomLinkEnd(Link& link, SpinBudget budget, uint32_t seed, std::function<std::string()> state,
                size_t far_bytes = 0)
      : link_(link),
        budget_(budget),
        random_(seed),
        state_(std::move(state)),
        far_away_(far_bytes / sizeof(uint64_t)) {}

  // Sends `bytes`, some 50 of them in each piece, and receives as many. Empty, or what went
  // wrong: a wrong byte, a wake-up that did not come though there was something to do,
  // "the peer is gone" when it is and all it left has been read.
  std::string Exchange(uint64_t bytes);

  uint64_t naps() const { return naps_; }

 private:
  // A step returns whether it got anywhere; what goes wrong ends up in error_.
  bool Send();
  bool Receive();
  bool Step() { return static_cast<int>(Send()) + static_cast<int>(Receive()) > 0; }
  void DelayNextStore();
  bool Done() const { return sent_ == total_ && received_ == total_; }
  bool MaySend() const { return sent_ < total_ && sent_ < received_ + ahead_; }
  void Spin();
  void SleepUnlessReady();
  void AwaitWake();
  bool LooksReady() const;
  void Fail(const std::string& what);

  Link& link_;
  SpinBudget budget_;
  std::minstd_rand random_;
  const std::function<std::string()> state_;
  std::vector<uint64_t> far_away_;
  std::string error_;
  uint64_t naps_ = 0;
  uint64_t total_ = 0, sent_ = 0, received_ = 0;
  uint64_t ahead_ = 1;  // it sends while it has sent less than this beyond what it received
  std::string piece_;   // what is left of it
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_LINK_RANDOM_LINK_END_H_
