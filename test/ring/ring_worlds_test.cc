// Proves that a stream of bytes passes a ring unchanged and in order, whatever the sizes in
// which it is written and read: with both ends in one thread, in two threads (where the
// sanitizers watch) and in two processes, from positions on both sides of 4 GiB and 2^64.

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpc_cxl/ring/ring_reader.h"
#include "grpc_cxl/ring/ring_writer.h"
#include "gtest/gtest.h"
#include "test/coherence/test_view.h"
#include "test/ring/shared_ring.h"
#include "test/support/both_sides.h"

namespace grpc_cxl::internal {
namespace {

// The stream that is sent: no two places look alike.
char ByteAt(uint64_t position) { return static_cast<char>((position * 0x9e3779b97f4a7c15) >> 56); }

// One end of the ring. Step() does one random thing.
class Sender {
 public:
  Sender(SharedRing& ring, uint64_t total)
      : side_(ring.image()),
        writer_(side_.At(ring.writer_words()), side_.At(ring.reader_words()), side_.At(ring.data()),
                side_.view()),
        left_(total) {}

  bool done() const { return left_ == 0 && published_; }

  std::string Step() {
    const size_t most = std::min<uint64_t>(left_, 2 * writer_.capacity());
    std::string bytes(std::uniform_int_distribution<size_t>(0, most)(random_), 0);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = ByteAt(writer_.position() + i);
    absl::StatusOr<size_t> taken = writer_.Write(bytes);
    if (!taken.ok()) return taken.status().ToString();
    if (*taken > bytes.size()) return absl::StrCat(*taken, " of ", bytes.size(), " taken");
    left_ -= *taken;
    published_ = *taken < bytes.size() || left_ == 0 || random_() % 2 == 0;
    if (published_) writer_.Publish();
    return "";
  }

 private:
  const TestView side_;
  RingWriter writer_;
  uint64_t left_;
  bool published_ = true;
  std::minstd_rand random_{1};
};

class Receiver {
 public:
  Receiver(SharedRing& ring, uint64_t total)
      : side_(ring.image()),
        reader_(side_.At(ring.reader_words()), side_.At(ring.writer_words()), side_.At(ring.data()),
                side_.view()),
        left_(total) {}

  bool done() const { return left_ == 0; }

  std::string Step() {
    absl::StatusOr<size_t> readable = reader_.Readable();
    if (!readable.ok()) return readable.status().ToString();
    if (*readable > left_) return absl::StrCat(*readable, " readable, ", left_, " expected");
    const absl::Span<const char> front = reader_.Front();
    for (size_t i = 0; i < front.size(); ++i) {
      if (front[i] != ByteAt(reader_.position() + i)) {
        return absl::StrCat("wrong byte at ", reader_.position() + i);
      }
    }
    const size_t bytes = std::uniform_int_distribution<size_t>(0, front.size())(random_);
    reader_.Consume(bytes);
    left_ -= bytes;
    return "";
  }

 private:
  const TestView side_;
  RingReader reader_;
  uint64_t left_;
  std::minstd_rand random_{2};
};

template <typename End>
std::string RunToEnd(End& end) {
  while (!end.done()) {
    if (std::string error = end.Step(); !error.empty()) return error;
    std::this_thread::yield();
  }
  return "";
}

std::string OneThread(Sender& sender, Receiver& receiver) {
  std::minstd_rand random(3);
  while (!sender.done() || !receiver.done()) {
    std::string error = random() % 2 == 0 ? sender.Step() : receiver.Step();
    if (!error.empty()) return error;
  }
  return "";
}

std::string BothSides(World world, Sender& sender, Receiver& receiver) {
  return RunBothSides(
      world, [&] { return RunToEnd(sender); }, [&] { return RunToEnd(receiver); });
}

struct NamedWorld {
  std::string name;
  std::function<std::string(Sender&, Receiver&)> run;
};

std::vector<NamedWorld> Worlds() {
  using std::placeholders::_1;
  using std::placeholders::_2;
  return {{"one_thread", OneThread},
          {"two_threads", std::bind(BothSides, World::kThreads, _1, _2)},
          {"two_processes", std::bind(BothSides, World::kProcesses, _1, _2)}};
}

class RingWorldsTest : public ::testing::TestWithParam<std::tuple<NamedWorld, size_t, uint64_t>> {};

TEST_P(RingWorldsTest, StreamPassesUnchanged) {
  const auto& [world, capacity, start] = GetParam();
  const uint64_t total = 1000 * capacity + 1;
  SharedRing ring(capacity, start);
  Sender sender(ring, total);
  Receiver receiver(ring, total);
  EXPECT_EQ(world.run(sender, receiver), "");
  EXPECT_EQ(ring.writer_words()->head.load(), start + total);
  EXPECT_EQ(ring.reader_words()->tail.load(), start + total);
}

INSTANTIATE_TEST_SUITE_P(
    Worlds, RingWorldsTest,
    ::testing::Combine(::testing::ValuesIn(Worlds()), ::testing::Values(1, 64, 4096),
                       ::testing::Values(0, (uint64_t{1} << 32) - 500, uint64_t{0} - 500)),
    [](const ::testing::TestParamInfo<RingWorldsTest::ParamType>& info) {
      return absl::StrCat(std::get<0>(info.param).name, "_capacity_", std::get<1>(info.param),
                          "_from_", std::get<2>(info.param));
    });

}  // namespace
}  // namespace grpc_cxl::internal
