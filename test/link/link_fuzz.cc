// SPDX-License-Identifier: Apache-2.0
// Fuzzes what a hostile peer can do to one end of a link: its own words and ours in the
// arena, at any moment, also before the link is made, bytes and silence on the socket, and
// leaving. Our end reads, writes, waits and sleeps as an endpoint does. Every step ends OK or
// with DATA_LOSS; nothing is read or written outside the rings; and when the peer rests, the
// hints come to rest as well.

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

bool Fine(const absl::Status& status) {
  CHECK(status.ok() || absl::IsDataLoss(status)) << status;
  return status.ok();
}

// These two return false after DATA_LOSS: the link is of no more use.
bool Read(Link& link, size_t most) {
  const absl::StatusOr<size_t> readable = link.Readable();
  if (!Fine(readable.status())) return false;
  CHECK_LE(*readable, kRing);
  const absl::Span<const char> front = link.Front();
  CHECK_LE(front.size(), *readable);
  CHECK_EQ(front.empty(), *readable == 0);
  volatile char sink = 0;  // touches every byte
  for (const char byte : front) sink = sink ^ byte;
  link.Consume(std::min(most, front.size()));
  return true;
}

bool Write(Link& link, size_t bytes) {
  static const std::string& text = *new std::string(2 * kRing, 'v');
  const absl::StatusOr<size_t> written = link.Write(absl::MakeConstSpan(text).first(bytes));
  if (!Fine(written.status())) return false;
  CHECK_LE(*written, kRing);
  link.Publish();
  *written < bytes ? link.WantSpace() : link.ClearWantSpace();
  return true;
}

void Nap(Link& link) {
  link.PrepareToSleep();
  link.MaybeReadable();
  link.MaybeWritable();
  link.Awake();
}

// With a peer that does nothing more, a polling thread comes to rest.
void ComeToRest(LinkPair& pair) {
  Link& link = *pair.server;
  for (int looks = 0; link.MaybeReadable(); ++looks) {
    CHECK_LT(looks, 4) << "MaybeReadable() says yes for ever;" << pair.State();
    if (!Read(link, kRing) || !Read(link, kRing)) return;
  }
  for (int looks = 0; link.MaybeWritable(); ++looks) {
    CHECK_LT(looks, 4) << "MaybeWritable() says yes for ever;" << pair.State();
    if (!Write(link, 2 * kRing)) return;
  }
  int drains = 0;
  while (link.Drain() == DoorbellSleeper::Line::kFlooded) CHECK_LT(++drains, 100);
}

void Scribble(LinkPair& pair, FuzzInput& input) {
  LinkSideWords& side = input.TakeUpTo(3) == 0 ? pair.server_words() : pair.client_words();
  SharedU64* const words[] = {&side.tx.head, &side.tx.want_space, &side.rx.tail,
                              &side.doorbell.epoch};
  SharedU64& word = *words[input.TakeUpTo(3)];
  // Close to where it is, or to where our end's counterpart is.
  const bool own = input.TakeUpTo(1) == 0;
  word.store(input.TakeWord(own ? word.load() : pair.server_words().tx.head.load()));
}

void Shout(const LinkPair& pair, size_t times) {
  const char bytes[100] = {};
  for (size_t i = 0; pair.client != nullptr && i < times; ++i) {
    send(pair.client->socket(), bytes, 1 + i % 100, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  LinkPair pair(kRing);
  bool useful = true;
  while (useful && !input.empty()) {
    switch (input.TakeUpTo(8)) {
      case 0:
        useful = Read(*pair.server, input.TakeUpTo(kRing));
        break;
      case 1:
        useful = Write(*pair.server, input.TakeUpTo(2 * kRing));
        break;
      case 2:
        Nap(*pair.server);
        break;
      case 3:
        pair.server->Drain();
        break;
      case 4:
        Shout(pair, input.TakeUpTo(400));
        break;
      case 5:
        pair.client_words().state.stream_closed = input.Take<uint32_t>();
        pair.server->PeerClosedStream();
        break;
      case 6:
        switch (input.TakeUpTo(15)) {
          case 0:
            pair.client.reset();
            break;
          case 1:
            pair.Reconnect();
        }
        break;
      default:
        Scribble(pair, input);
    }
  }
  if (useful) ComeToRest(pair);
  return 0;
}

}  // namespace grpc_cxl::internal
