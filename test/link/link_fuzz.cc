// Fuzzes what a hostile peer can do to one end of a link: its own words and ours in the
// arena, at any moment, bytes and silence on the socket, and leaving. Our end reads, writes,
// waits and sleeps as an endpoint does. Every step ends OK or with DATA_LOSS; nothing is read
// or written outside the rings; and when the peer rests, the hints come to rest as well.

#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "test/fuzz/fuzz_input.h"
#include "test/link/link_pair.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kRing = 4 << 10;

class Victim {
 public:
  // False after DATA_LOSS: the link is of no more use.
  bool Read(size_t most) {
    const absl::StatusOr<size_t> readable = link().Readable();
    if (!Fine(readable.status())) return false;
    CHECK_LE(*readable, kRing);
    const absl::Span<const char> front = link().Front();
    CHECK_LE(front.size(), *readable);
    CHECK_EQ(front.empty(), *readable == 0);
    volatile char sink = 0;  // touches every byte
    for (const char byte : front) sink = sink ^ byte;
    link().Consume(std::min(most, front.size()));
    return true;
  }

  bool Write(size_t bytes) {
    const absl::StatusOr<size_t> written =
        link().Write(absl::MakeConstSpan(bytes_).first(std::min(bytes, bytes_.size())));
    if (!Fine(written.status())) return false;
    CHECK_LE(*written, kRing);
    link().Publish();
    *written < bytes ? link().WantSpace() : link().ClearWantSpace();
    return true;
  }

  void Nap() {
    link().PrepareToSleep();
    link().MaybeReadable();
    link().MaybeWritable();
    link().Awake();
  }

  // With a peer that does nothing more, a polling thread comes to rest.
  void ComeToRest() {
    for (int looks = 0; link().MaybeReadable(); ++looks) {
      CHECK_LT(looks, 4) << "MaybeReadable() says yes for ever;" << pair_.State();
      if (!Read(kRing) || !Read(kRing)) return;
    }
    for (int looks = 0; link().MaybeWritable(); ++looks) {
      CHECK_LT(looks, 4) << "MaybeWritable() says yes for ever;" << pair_.State();
      if (!Write(bytes_.size())) return;
    }
    int drains = 0;
    while (link().Drain() == DoorbellSleeper::Line::kFlooded) CHECK_LT(++drains, 100);
  }

  // What the peer does.
  void Scribble(FuzzInput& input) {
    LinkSideWords& side = input.TakeUpTo(3) == 0 ? pair_.server_words() : pair_.client_words();
    SharedU64* const words[] = {&side.tx.head, &side.tx.want_space, &side.rx.tail,
                                &side.doorbell.epoch};
    SharedU64& word = *words[input.TakeUpTo(3)];
    // Close to where it is, or to where our end's counterpart is.
    const bool own = input.TakeUpTo(1) == 0;
    word.store(input.TakeWord(own ? word.load() : pair_.server_words().tx.head.load()));
  }
  void CloseStream(FuzzInput& input) {
    pair_.client_words().state.stream_closed = input.Take<uint32_t>();
  }
  void Shout(size_t bytes) {
    if (pair_.client == nullptr) return;
    for (size_t i = 0; i < bytes; ++i) {
      send(pair_.client->socket(), bytes_.data(), 1 + i % 100, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
  }
  void Leave() { pair_.client.reset(); }

  Link& link() { return *pair_.server; }

 private:
  static bool Fine(const absl::Status& status) {
    CHECK(status.ok() || status.code() == absl::StatusCode::kDataLoss) << status;
    return status.ok();
  }

  LinkPair pair_{kRing};
  const std::string bytes_ = std::string(2 * kRing, 'v');
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  Victim victim;
  bool useful = true;
  while (useful && !input.empty()) {
    switch (input.TakeUpTo(8)) {
      case 0:
        useful = victim.Read(input.TakeUpTo(kRing));
        break;
      case 1:
        useful = victim.Write(input.TakeUpTo(2 * kRing));
        break;
      case 2:
        victim.Nap();
        break;
      case 3:
        victim.link().Drain();
        break;
      case 4:
        victim.Shout(input.TakeUpTo(400));
        break;
      case 5:
        victim.CloseStream(input);
        victim.link().PeerClosedStream();
        break;
      case 6:
        if (input.TakeUpTo(15) == 0) victim.Leave();
        break;
      default:
        victim.Scribble(input);
    }
  }
  if (useful) victim.ComeToRest();
  return 0;
}

}  // namespace grpc_cxl::internal
