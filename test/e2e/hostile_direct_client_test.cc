// A client that was granted direct calls and lies in every word of them: of the slot, the
// bitmaps, the request's head. It loses its connection where the lie breaks something, and the
// server goes on with everybody else.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/calls/call_codec.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "test/e2e/child.h"
#include "test/e2e/echo_pair.h"

namespace grpc_cxl::e2e {
namespace {

constexpr char kUnary[] = "/grpc_cxl.e2e.Echo/Unary";
const absl::Duration kPatience = absl::Seconds(20);

bool AwaitReadable(int socket) {
  pollfd readable = {socket, POLLIN, 0};
  return poll(&readable, 1, static_cast<int>(absl::ToInt64Milliseconds(kPatience))) == 1;
}

// A connection with a region of calls and without ClientCalls: the bare words.
class RawCalls {
 public:
  static std::unique_ptr<RawCalls> Open(const std::string& directory) {
    auto socket = internal::Dial(directory, internal::ServiceName::Parse("e2e/echo").value());
    EXPECT_TRUE(socket.ok()) << socket.status();
    EXPECT_TRUE(internal::SendHello(socket->get(), internal::kDirectCalls).ok());
    EXPECT_TRUE(AwaitReadable(socket->get()));
    auto welcome = internal::ReceiveWelcome(socket->get(), internal::TrustedUsers());
    EXPECT_TRUE(welcome.ok() && welcome->has_value()) << welcome.status();
    const internal::ArenaOffer offer = (*welcome)->offer;
    EXPECT_EQ(offer.features & internal::kDirectCalls, internal::kDirectCalls);
    auto arena =
        internal::Arena::Attach(std::move((*welcome)->arena_fd), offer.arena_bytes, offer.sealed);
    EXPECT_TRUE(arena.ok()) << arena.status();
    return std::unique_ptr<RawCalls>(new RawCalls(*std::move(socket), *std::move(arena), offer));
  }

  internal::CallClientWords& client() { return *At<internal::CallClientWords>(0); }
  internal::CallServerWords& server() {
    return *At<internal::CallServerWords>(internal::kCallServerWordsAt);
  }
  internal::CallClientSlot& client_slot(int i) {
    return At<internal::CallClientSlot>(internal::kCallClientSlotsAt)[i];
  }
  internal::CallServerSlot& server_slot(int i) {
    return At<internal::CallServerSlot>(internal::kCallServerSlotsAt)[i];
  }
  internal::RequestHead& request_head(int i) { return *At<internal::RequestHead>(RequestAt(i)); }
  char* request(int i) { return At<char>(RequestAt(i)); }
  absl::Span<char> region() { return {At<char>(0), internal::CallAreaBytes(buffer_bytes_)}; }

  // An honest request in the slot, not yet posted.
  void Fill(int slot, const internal::RequestView& view) {
    const size_t head = internal::RequestHeadBytes(view);
    internal::EncodeRequestHead(view, view.message.size(), absl::MakeSpan(request(slot), head));
    memcpy(request(slot) + head, view.message.data(), view.message.size());
    client_slot(slot).generation.fetch_add(1);
    client_slot(slot).request_bytes = static_cast<uint32_t>(head + view.message.size());
  }
  void Fill(int slot) { Fill(slot, {internal::kNoTimeout, kUnary, {{"key", "value"}}, ""}); }
  void Post(int slot) {
    client().posted.fetch_xor(uint64_t{1} << slot);
    Wake();
  }
  void Wake() { send(socket_.get(), "", 1, MSG_NOSIGNAL | MSG_DONTWAIT); }

  // The server has answered the slot's call.
  bool Answered(int slot) {
    const uint32_t done =
        internal::MakeCallWord(client_slot(slot).generation, 0, internal::CallState::kDone);
    for (const absl::Time end = absl::Now() + kPatience; absl::Now() < end;) {
      if (server_slot(slot).word == done) return true;
      absl::SleepFor(absl::Microseconds(100));
    }
    return false;
  }
  bool Lost() {
    while (AwaitReadable(socket_.get())) {
      char wakeups[256];
      const ssize_t size = recv(socket_.get(), wakeups, sizeof(wakeups), MSG_DONTWAIT);
      if (size == 0 || (size < 0 && errno == ECONNRESET)) return true;
    }
    return false;
  }

 private:
  RawCalls(internal::UniqueFd socket, internal::Arena arena, const internal::ArenaOffer& offer)
      : socket_(std::move(socket)),
        arena_(std::move(arena)),
        buffer_bytes_(offer.call_buffer_bytes),
        region_at_(internal::ArenaBytes(
            {.ring_bytes = offer.ring_bytes, .payload_bytes = offer.payload_bytes})) {}

  size_t RequestAt(int slot) const { return internal::kCallBuffersAt + slot * buffer_bytes_; }
  template <typename T>
  T* At(size_t offset) {
    return reinterpret_cast<T*>(arena_.data() + region_at_ + offset);
  }

  const internal::UniqueFd socket_;
  const internal::Arena arena_;
  const size_t buffer_bytes_;
  const size_t region_at_;
};

class HostileDirectClientTest : public ::testing::Test {
 protected:
  HostileDirectClientTest() {
    ExpectOthersServed();
    files_ = CountOpenFiles(getpid());
  }
  void TearDown() override {
    ExpectOthersServed();
    for (int i = 0; i < 20'000 && CountOpenFiles(getpid()) != files_; ++i) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    EXPECT_EQ(CountOpenFiles(getpid()), files_) << "open files are left";
  }
  // An honest client's direct call.
  void ExpectOthersServed() {
    const uint64_t before = GetDirectCallStats().direct;
    const Outcome outcome = pair_.Run({});
    EXPECT_TRUE(outcome.status.ok()) << outcome;
    EXPECT_EQ(GetDirectCallStats().direct, before + 1);
  }
  std::unique_ptr<RawCalls> Connect() {
    auto calls = RawCalls::Open(pair_.transport->place());
    // The words are in place: an honest call is answered.
    calls->Fill(0);
    calls->Post(0);
    EXPECT_TRUE(calls->Answered(0));
    return calls;
  }
  // Each lie, told by a client of its own, costs it the connection.
  void ExpectEachFatal(const std::vector<std::function<void(RawCalls&)>>& lies) {
    for (size_t i = 0; i < lies.size(); ++i) {
      const auto calls = Connect();
      calls->Fill(1);
      lies[i](*calls);
      calls->Post(1);
      EXPECT_TRUE(calls->Lost()) << "lie " << i;
      ExpectOthersServed();
    }
  }

  EchoPair pair_{TransportKind::kCxlDirect};

 private:
  int files_;
};

TEST_F(HostileDirectClientTest, LiesInTheSlot) {
  ExpectEachFatal({
      [](RawCalls& calls) { calls.client_slot(1).request_bytes = 4097; },
      [](RawCalls& calls) { calls.client_slot(1).request_bytes = 0xffffffff; },
      [](RawCalls& calls) { calls.client_slot(1).request_bytes = 0; },
      [](RawCalls& calls) { --calls.client_slot(1).request_bytes; },
      [](RawCalls& calls) { ++calls.client_slot(1).request_bytes; },
  });
}

TEST_F(HostileDirectClientTest, LiesInTheRequestsHead) {
  using Field = uint32_t internal::RequestHead::*;
  for (const Field field :
       {&internal::RequestHead::method_bytes, &internal::RequestHead::metadata_bytes,
        &internal::RequestHead::metadata_count, &internal::RequestHead::message_bytes}) {
    std::vector<std::function<void(RawCalls&)>> lies;
    for (const uint32_t off : {1u, 0xffffffffu, 4096u, 0x80000000u}) {
      lies.push_back([=](RawCalls& calls) { calls.request_head(1).*field += off; });
    }
    ExpectEachFatal(lies);
  }
}

TEST_F(HostileDirectClientTest, MethodsAndMetadataThatGrpcWouldNotSend) {
  const auto request = [](absl::string_view method, absl::string_view key,
                          absl::string_view value) {
    return [=](RawCalls& calls) {
      calls.Fill(1, {internal::kNoTimeout, method, {{key, value}}, ""});
    };
  };
  ExpectEachFatal({
      request("", "key", "value"),
      request("/", "key", "value"),
      request("grpc_cxl.e2e.Echo/Unary", "key", "value"),
      request(kUnary, "", "value"),
      request(kUnary, "Key", "value"),
      request(kUnary, ":path", "/other"),
      request(kUnary, "key", "line\nbreak"),
      request(kUnary, absl::string_view("k\0y", 3), "value"),
  });
}

TEST_F(HostileDirectClientTest, PartsOfMetadataThatReachOutside) {
  ExpectEachFatal({
      [](RawCalls& calls) {
        internal::MetadataHead* const entry = reinterpret_cast<internal::MetadataHead*>(
            calls.request(1) + sizeof(internal::RequestHead) + strlen(kUnary));
        internal::MetadataHead wild = {0xffffffff, 0xffffffff};
        memcpy(entry, &wild, sizeof(wild));
      },
      [](RawCalls& calls) {
        char* const entry = calls.request(1) + sizeof(internal::RequestHead) + strlen(kUnary);
        internal::MetadataHead wild = {3, 4096};
        memcpy(entry, &wild, sizeof(wild));
      },
  });
}

TEST_F(HostileDirectClientTest, BlocksThatReachOutside) {
  const auto lend = [](uint32_t begin, uint32_t bytes) {
    return [=](RawCalls& calls) { calls.request_head(1).block = {begin, bytes}; };
  };
  const uint32_t area = ServerOptions().payload_bytes;
  ExpectEachFatal({
      lend(0, area + 1),
      lend(area - 1, 2),
      lend(area, 1),
      lend(0xffffffff, 1),
      lend(1, 0xffffffff),
  });
}

TEST_F(HostileDirectClientTest, StepsOutOfOrder) {
  {
    const auto calls = Connect();  // a part acked that was never made
    calls->client().acked.fetch_xor(2);
    calls->Wake();
    EXPECT_TRUE(calls->Lost());
  }
  {
    const auto calls = Connect();  // a slot posted while its call runs
    EchoRequest waiting;
    waiting.mutable_script()->set_wait_at_gate(true);
    const std::string message = waiting.SerializeAsString();
    calls->Fill(1, {internal::kNoTimeout, kUnary, {}, message});
    calls->Post(1);
    EXPECT_TRUE(pair_.control().Await([](const auto& counts) { return counts.at_gate == 1; }));
    calls->Post(1);
    EXPECT_TRUE(calls->Lost());
    // Its call is cancelled.
    EXPECT_TRUE(pair_.control().Await([](const auto& counts) { return counts.cancelled == 1; }));
  }
}

// What makes no sense but breaks nothing.
TEST_F(HostileDirectClientTest, NonsenseThatIsItsOwnLoss) {
  const auto calls = Connect();
  calls->client().cancelled.store(~uint64_t{0});
  for (int i = 0; i < 64; ++i) calls->client_slot(i).cancelled_generation = 4711;
  calls->client().ping = 0x80000000;
  calls->Wake();
  calls->Fill(1);
  calls->client_slot(1).waiter = 99;
  calls->Post(1);
  EXPECT_TRUE(calls->Answered(1));
  calls->Fill(1);
  calls->request_head(1).timeout_ns = std::numeric_limits<uint64_t>::max() - 1;
  calls->Post(1);
  EXPECT_TRUE(calls->Answered(1));
}

// Also the words and buffers that belong to the server.
TEST_F(HostileDirectClientTest, NoiseEverywhere) {
  std::minstd_rand random(4711);
  for (int round = 0; round < 50; ++round) {
    const auto calls = Connect();
    for (int i = 0; i < 20; ++i) {
      for (int slot = 0; slot < 64; ++slot) {
        calls->Fill(slot);
        if (random() % 4 == 0) calls->request(slot)[random() % 100] = static_cast<char>(random());
        if (random() % 4 == 0) calls->server_slot(slot).word = static_cast<uint32_t>(random());
      }
      calls->client().posted = random() | static_cast<uint64_t>(random()) << 32;
      if (random() % 4 == 0) calls->client().acked = random();
      if (random() % 4 == 0) calls->client().cancelled = random();
      calls->Wake();
    }
    if (round % 10 == 0) {
      for (char& byte : calls->region()) byte = static_cast<char>(random());
      calls->Wake();
    }
  }
}

}  // namespace
}  // namespace grpc_cxl::e2e
