// SPDX-License-Identifier: Apache-2.0

// A client that shakes hands properly and then writes whatever it likes into the memory that
// it shares with the server. The suites of the rooms (test/ring, test/link, test/blocks,
// test/calls, test/rendezvous) prove each field; here one wild word of each kind meets a whole
// server. It costs this client its connection at most, others are served, and in the end no
// file is left open.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/calls/call_codec.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/link/link_layout.h"
#include "grpc_cxl/link/record_layout.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "test/e2e/echo_pair.h"
#include "test/rendezvous/at.h"
#include "test/rendezvous/raw_peer.h"
#include "test/support/await_readable.h"
#include "test/support/eventually.h"
#include "test/support/process_state.h"

namespace grpc_cxl::e2e {
namespace {

using internal::AwaitReadable;
using internal::CountOpenFiles;
using internal::Eventually;
using internal::kPageBytes;

constexpr char kUnary[] = "/grpc_cxl.e2e.Echo/Unary";
constexpr size_t kRingBytes = 4 << 10;  // small, so that the server soon fills it
constexpr uint32_t kPayloadBytes = 64 << 10;
constexpr size_t kCallsAt =
    internal::ArenaBytes({.ring_bytes = kRingBytes, .payload_bytes = kPayloadBytes});
constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

internal::UniqueFd Dial(const std::string& directory) {
  auto socket = internal::Dial(internal::At(directory), *internal::ServiceName::Parse("e2e/echo"));
  EXPECT_TRUE(socket.ok()) << socket.status();
  return *std::move(socket);
}

// The server closes the connection. Until then it may wake us.
bool IsLost(int socket) {
  while (AwaitReadable(socket)) {
    char wakes[256];
    const ssize_t size = recv(socket, wakes, sizeof(wakes), MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno == ECONNRESET)) return true;
  }
  return false;
}

// Bytes as they stand in a ring.
std::string Words(std::initializer_list<uint32_t> words) {
  return std::string(reinterpret_cast<const char*>(words.begin()), 4 * words.size());
}
std::string Record(absl::string_view bytes) {
  return absl::StrCat(Words({static_cast<uint32_t>(bytes.size())}), bytes);
}

// A connection without gRPC: the bare words of the link and of direct calls.
class RawClient {
 public:
  explicit RawClient(const std::string& directory) : socket_(Dial(directory)) {
    EXPECT_TRUE(internal::SendHello(socket(), internal::kDirectCalls).ok());
    EXPECT_TRUE(AwaitReadable(socket()));
    auto welcome = internal::ReceiveWelcome(socket(), internal::TrustedUsers());
    EXPECT_TRUE(welcome.ok() && welcome->has_value()) << welcome.status();
    const internal::ArenaOffer& offer = (*welcome)->offer;
    EXPECT_EQ(offer.ring_bytes, kRingBytes);
    EXPECT_EQ(offer.payload_bytes, kPayloadBytes);
    auto arena =
        internal::Arena::Attach(std::move((*welcome)->arena_fd), offer.arena_bytes, offer.sealed);
    EXPECT_TRUE(arena.ok()) << arena.status();
    arena_ = std::make_unique<internal::Arena>(*std::move(arena));
  }

  int socket() const { return socket_.get(); }
  void Wake() { send(socket(), "", 1, MSG_NOSIGNAL | MSG_DONTWAIT); }

  internal::LinkSideWords& servers() { return *At<internal::LinkSideWords>(kPageBytes); }
  internal::LinkSideWords& mine() { return *At<internal::LinkSideWords>(2 * kPageBytes); }
  // The ring in which blocks that the server lent are returned.
  internal::BlockReturnEntry* returns() {
    return At<internal::BlockReturnEntry>(kCallsAt - internal::ReturnBytes(kPayloadBytes));
  }
  // Writes bytes behind those that are published; Send() publishes them.
  void Fill(absl::string_view bytes) {
    const uint64_t head = mine().tx.head;
    char* const ring = At<char>(internal::kLinkControlBytes);
    for (size_t i = 0; i < bytes.size(); ++i) ring[(head + i) % kRingBytes] = bytes[i];
  }
  void Send(absl::string_view bytes) {
    Fill(bytes);
    mine().tx.head += bytes.size();
    Wake();
  }
  bool IsRead() {
    return Eventually([this] { return servers().rx.tail == mine().tx.head; });
  }

  internal::CallClientSlot& slot(int i) {
    return At<internal::CallClientSlot>(kCallsAt + internal::kCallClientSlotsAt)[i];
  }
  char* request(int i) {
    return At<char>(kCallsAt + internal::kCallBuffersAt + i * ServerOptions().call_buffer_bytes);
  }
  internal::RequestHead& head(int i) {
    return *reinterpret_cast<internal::RequestHead*>(request(i));
  }
  // Writes an honest request into the slot; Post() posts it.
  void FillSlot(int i, absl::string_view key = "key", absl::string_view value = "value",
                absl::string_view message = "") {
    const internal::RequestView view = {internal::kNoTimeout, kUnary, {{key, value}}, message};
    const size_t head = internal::RequestHeadBytes(view);
    internal::EncodeRequestHead(view, message.size(), absl::MakeSpan(request(i), head));
    memcpy(request(i) + head, message.data(), message.size());
    ++slot(i).generation;
    slot(i).request_bytes = static_cast<uint32_t>(head + message.size());
  }
  void Post(int i) {
    At<internal::CallClientWords>(kCallsAt)->posted ^= uint64_t{1} << i;
    Wake();
  }
  bool IsAnswered(int i, internal::CallState how = internal::CallState::kDone) {
    const auto* slots = At<internal::CallServerSlot>(kCallsAt + internal::kCallServerSlotsAt);
    return Eventually(
        [&] { return slots[i].word == internal::MakeCallWord(slot(i).generation, 0, how); });
  }

 private:
  template <typename T>
  T* At(size_t offset) {
    return reinterpret_cast<T*>(arena_->data() + offset);
  }

  const internal::UniqueFd socket_;
  std::unique_ptr<internal::Arena> arena_;
};

// HTTP/2 by hand: the preface with empty SETTINGS; PINGs, which the server answers; a frame as
// large as the ring, of a kind that is not known and has to be skipped.
std::string Preface() {
  return Record(
      absl::StrCat("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", std::string("\0\0\0\4\0\0\0\0\0", 9)));
}
std::string Pings(int count) {
  std::string pings;
  while (count-- > 0) pings.append("\0\0\x08\x06\0\0\0\0\0garbage!", 17);
  return Record(pings);
}
std::string UnknownFrame() {
  std::string frame(kRingBytes - internal::kRecordHeaderBytes, '\0');
  frame[1] = static_cast<char>((frame.size() - 9) >> 8);
  frame[2] = static_cast<char>(frame.size() - 9);
  frame[3] = static_cast<char>(0xee);
  return Record(frame);
}

// What a client does wrong before it posts slot 1, in which there is an honest request.
struct Lie {
  std::string name;
  std::function<void(RawClient&)> tell;
};

std::vector<Lie> LiesThatBreakSomething() {
  std::vector<Lie> lies = {
      // What is in the ring is good HTTP/2, however often the server goes round.
      {"more is published than the ring holds",
       [](RawClient& client) {
         client.Fill(UnknownFrame());
         client.mine().tx.head += kRingBytes + 1;
       }},
      // The server sees it when its ring looks full.
      {"more is read than was written",
       [](RawClient& client) {
         client.mine().rx.tail = kMax - kRingBytes;
         client.Send(Pings(200));
         client.IsRead();
         client.Send(Pings(200));
       }},
      {"a record of nothing", [](RawClient& client) { client.Send(Words({0})); }},
      {"a loan outside the payload",
       [](RawClient& client) {
         client.Send(Words({internal::kLentBit | 2, kPayloadBytes - 1}));
       }},
      {"no HTTP/2", [](RawClient& client) { client.Send(Record(std::string(1000, 'x'))); }},
      {"a request larger than its buffer",
       [](RawClient& client) { client.slot(1).request_bytes = 4097; }},
      {"a message that reaches outside", [](RawClient& client) { --client.head(1).message_bytes; }},
      {"a message in a block outside the payload",
       [](RawClient& client) {
         client.head(1).block = {kPayloadBytes - 1, 2};
       }},
  };
  // gRPC would abort, were it given one of these.
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"", "value"},
                                                        {"Key", "value"},
                                                        {":path", "/other"},
                                                        {std::string("k\0y", 3), "value"},
                                                        {"key", "line\nbreak"}}) {
    lies.push_back({absl::StrCat("metadata ", key, ": ", value),
                    [=](RawClient& client) { client.FillSlot(1, key, value); }});
  }
  return lies;
}

const Lie kHarmlessLies[] = {
    {"a deadline that no clock reaches",
     [](RawClient& client) { client.head(1).timeout_ns = kMax - 1; }},
    {"wake-ups without end",
     [](RawClient& client) {
       for (int i = 0; i < 100'000; ++i) client.Wake();
     }},
    {"files instead of wake-ups",
     [](RawClient& client) {
       internal::SendRaw(client.socket(), std::string(60'000, 'x'), {client.socket()});
     }},
};

class HostileClientTest : public ::testing::Test {
 protected:
  HostileClientTest() {
    ExpectOthersServed();
    files_ = CountOpenFiles();
  }
  ~HostileClientTest() override {
    EXPECT_TRUE(Eventually([this] { return CountOpenFiles() == files_; }))
        << CountOpenFiles() << " open files instead of " << files_;
  }

  // An honest client's calls on both paths; the messages need blocks.
  void ExpectOthersServed() {
    ClientCall call = CallOfSize(20'000);
    const uint64_t direct = GetDirectCallStats().direct;
    for (const RpcKind kind : {RpcKind::kUnary, RpcKind::kBidi}) {
      call.kind = kind;
      const Outcome outcome = pair_.Run(call);
      EXPECT_TRUE(outcome.status.ok()) << outcome;
    }
    EXPECT_EQ(GetDirectCallStats().direct, direct + 1);
  }
  // Posts slot 1 after a lie, on a connection that worked on both paths before.
  std::unique_ptr<RawClient> Tell(const Lie& lie) {
    auto client = std::make_unique<RawClient>(pair_.transport->place());
    client->Send(Preface());
    EXPECT_TRUE(client->IsRead());
    client->FillSlot(0);
    client->Post(0);
    EXPECT_TRUE(client->IsAnswered(0));
    client->FillSlot(1);
    lie.tell(*client);
    client->Post(1);
    return client;
  }

  // gRPC's server would close a connection that pings without calls.
  EchoPair pair_{TransportKind::kCxlDirect,
                 {.options = WithSizes(kRingBytes, kPayloadBytes),
                  .configure = [](grpc::ServerBuilder* builder) {
                    builder->AddChannelArgument("grpc.http2.max_ping_strikes", 0);
                  }}};
  int files_;
};

TEST_F(HostileClientTest, LosesItsConnection) {
  for (const Lie& lie : LiesThatBreakSomething()) {
    SCOPED_TRACE(lie.name);
    EXPECT_TRUE(IsLost(Tell(lie)->socket()));
    ExpectOthersServed();
  }
  const internal::UniqueFd nonsense = Dial(pair_.transport->place());
  ASSERT_EQ(send(nonsense.get(), std::string(33, 'x').data(), 33, MSG_NOSIGNAL), 33);
  EXPECT_TRUE(IsLost(nonsense.get())) << "whose handshake is none";
  ExpectOthersServed();
}

TEST_F(HostileClientTest, IsServedWhenItsNonsenseBreaksNothing) {
  for (const Lie& lie : kHarmlessLies) {
    SCOPED_TRACE(lie.name);
    EXPECT_TRUE(Tell(lie)->IsAnswered(1));
    ExpectOthersServed();
  }
}

// The connection is lost when HTTP/2 needs a block (EndpointPayloadTest); direct calls do
// without: the response comes in parts.
TEST_F(HostileClientTest, GetsNoBlockAfterReturningWhatItWasNotLent) {
  const auto client = Tell({"returns", [](RawClient& client) {
                              for (uint32_t i = 0; i < 3; ++i) client.returns()[i] = i;
                              client.mine().returns.returned = 3;
                              EchoRequest request;
                              request.mutable_script()->set_response_bytes(20'000);
                              client.FillSlot(1, "key", "value", request.SerializeAsString());
                            }});
  EXPECT_TRUE(client->IsAnswered(1, internal::CallState::kPart));
  ExpectOthersServed();
}

}  // namespace
}  // namespace grpc_cxl::e2e
