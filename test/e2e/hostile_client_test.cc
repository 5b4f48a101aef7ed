// A client that shakes hands properly and then writes whatever it likes into the words and
// bytes that it shares with the server, or breaks the handshake: the worst that happens is
// that it loses its connection. The server goes on with everybody else, and holds nothing
// of it in the end.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/link/link_layout.h"
#include "grpc_cxl/link/record_layout.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "test/e2e/child.h"
#include "test/e2e/echo_pair.h"

namespace grpc_cxl::e2e {
namespace {

constexpr absl::Duration kMoment = absl::Milliseconds(1);
constexpr size_t kRingBytes = 4 << 10;  // small, so that the server soon fills it
constexpr size_t kPayloadBytes = 64 << 10;

bool AwaitReadable(int socket, absl::Duration timeout) {
  pollfd readable = {socket, POLLIN, 0};
  return poll(&readable, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) == 1;
}

// The peer has closed the connection, within `timeout`.
bool LostConnection(int socket, absl::Duration timeout = absl::Seconds(20)) {
  for (const absl::Time end = absl::Now() + timeout; AwaitReadable(socket, end - absl::Now());) {
    char wakeups[256];
    const ssize_t size = recv(socket, wakeups, sizeof(wakeups), MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno == ECONNRESET)) return true;
  }
  return false;
}

// Bytes of the stream as they stand in a ring.
std::string Record(absl::string_view bytes) {
  const auto size = static_cast<uint32_t>(bytes.size());
  return absl::StrCat(absl::string_view(reinterpret_cast<const char*>(&size), 4), bytes);
}
std::string Loan(internal::BlockDescriptor descriptor) {
  const uint32_t words[] = {internal::kLentBit | descriptor.bytes, descriptor.begin};
  return std::string(reinterpret_cast<const char*>(words), sizeof(words));
}

// A connection without gRPC: the bare words.
class RawConnection {
 public:
  static std::unique_ptr<RawConnection> Open(const std::string& directory) {
    const internal::TrustedUsers trust;
    auto socket = internal::Dial(directory, internal::ServiceName::Parse("e2e/echo").value());
    EXPECT_TRUE(socket.ok()) << socket.status();
    EXPECT_TRUE(internal::SendHello(socket->get(), internal::kNoFeatures).ok());
    EXPECT_TRUE(AwaitReadable(socket->get(), absl::Seconds(20)));
    auto welcome = internal::ReceiveWelcome(socket->get(), trust);
    EXPECT_TRUE(welcome.ok() && welcome->has_value()) << welcome.status();
    EXPECT_EQ((*welcome)->offer.ring_bytes, kRingBytes);
    EXPECT_EQ((*welcome)->offer.payload_bytes, kPayloadBytes);
    auto arena = internal::Arena::Attach(std::move((*welcome)->arena_fd),
                                         (*welcome)->offer.arena_bytes, (*welcome)->offer.sealed);
    EXPECT_TRUE(arena.ok()) << arena.status();
    return std::unique_ptr<RawConnection>(new RawConnection(*std::move(socket), *std::move(arena)));
  }

  int socket() const { return socket_.get(); }
  internal::LinkSideWords& client() {
    return *At<internal::LinkSideWords>(2 * internal::kPageBytes);
  }
  // Where only the server should write; the mapping does not know that.
  internal::LinkSideWords& server() { return *At<internal::LinkSideWords>(internal::kPageBytes); }
  char* outgoing() { return At<char>(internal::kLinkControlBytes); }
  // The ring in which blocks that the server lent are returned.
  internal::BlockReturnEntry* returns() {
    return At<internal::BlockReturnEntry>(internal::kLinkControlBytes +
                                          2 * (kRingBytes + kPayloadBytes) +
                                          internal::ReturnBytes(kPayloadBytes));
  }
  absl::Span<char> all() { return {arena_.data(), arena_.size()}; }

  // Writes bytes behind those that are published; publishes them and rings.
  void Fill(absl::string_view bytes) {
    const uint64_t head = client().tx.head.load();
    for (size_t i = 0; i < bytes.size(); ++i) outgoing()[(head + i) % kRingBytes] = bytes[i];
  }
  void SendRaw(absl::string_view bytes) {
    Fill(bytes);
    client().tx.head.fetch_add(bytes.size());
    Wake();
  }
  void Send(absl::string_view bytes) { SendRaw(Record(bytes)); }
  void Wake() { send(socket_.get(), "", 1, MSG_NOSIGNAL | MSG_DONTWAIT); }

 private:
  RawConnection(internal::UniqueFd socket, internal::Arena arena)
      : socket_(std::move(socket)), arena_(std::move(arena)) {}

  template <typename T>
  T* At(size_t offset) {
    return reinterpret_cast<T*>(arena_.data() + offset);
  }

  const internal::UniqueFd socket_;
  const internal::Arena arena_;
};

// HTTP/2 by hand: the preface with empty SETTINGS, and a PING, which the server answers.
std::string Preface() {
  return absl::StrCat("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                      absl::string_view("\0\0\0\4\0\0\0\0\0", 9));
}
// A frame of `size` bytes of a kind that HTTP/2 does not know and has to skip.
std::string IgnoredFrame(size_t size) {
  std::string frame(size, '\0');
  frame[1] = static_cast<char>((size - 9) >> 8);
  frame[2] = static_cast<char>(size - 9);
  frame[3] = static_cast<char>(0xee);
  return frame;
}
std::string Ping() { return std::string("\0\0\x08\x06\0\0\0\0\0garbage!", 17); }

class HostileClientTest : public ::testing::Test {
 protected:
  static ServerOptions SmallRing() {
    ServerOptions options;
    options.ring_bytes = kRingBytes;
    options.payload_bytes = kPayloadBytes;
    return options;
  }

  HostileClientTest()
      : transport_(Transport::Make(TransportKind::kCxl, SmallRing())),
        server_(EchoServer::Start(*transport_, {.configure =
                                                    [](grpc::ServerBuilder* builder) {
                                                      // Else it closes connections that ping
                                                      // without calls.
                                                      builder->AddChannelArgument(
                                                          "grpc.http2.max_ping_strikes", 0);
                                                    }})),
        channel_(MakeChannel(*transport_)),
        stub_(Echo::NewStub(channel_)) {
    ExpectOthersServed();
    files_ = CountOpenFiles(getpid());
  }

  // The honest client's view; also at the end of every test, with nothing left open.
  void ExpectOthersServed() {
    const Outcome outcome = Perform(stub_.get(), {.requests = {Request()}});
    EXPECT_TRUE(outcome.status.ok()) << outcome;
  }
  void TearDown() override {
    ExpectOthersServed();
    int files = 0;
    for (int i = 0; i < 20'000 && (files = CountOpenFiles(getpid())) != files_; ++i) {
      absl::SleepFor(kMoment);
    }
    EXPECT_EQ(files, files_) << "open files are left";
  }
  std::unique_ptr<RawConnection> Connect() { return RawConnection::Open(transport_->place()); }

  const std::unique_ptr<Transport> transport_;
  const std::unique_ptr<EchoServer> server_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<Echo::Stub> stub_;

 private:
  static EchoRequest Request() {
    EchoRequest request;
    request.set_payload(std::string(10'000, 'x'));
    return request;
  }
  int files_;
};

// How far off a position may be; the last one is one back.
const uint64_t kWild[] = {
    kRingBytes + 1,
    uint64_t{1} << 32,
    uint64_t{1} << 63,
    std::numeric_limits<uint64_t>::max() - kRingBytes,
    std::numeric_limits<uint64_t>::max(),
};

// "There are more bytes than fit the ring", or "I take back what I published". What is in
// the ring is good HTTP/2, however often one goes round: nothing but the position gives the
// client away.
TEST_F(HostileClientTest, WildHeadOfItsOwnRing) {
  for (const uint64_t wild : kWild) {
    const auto connection = Connect();
    connection->Send(Preface());
    while (connection->server().rx.tail.load() < Record(Preface()).size()) {
      absl::SleepFor(kMoment);
    }
    connection->Fill(Record(IgnoredFrame(kRingBytes - internal::kRecordHeaderBytes)));
    connection->client().tx.head.fetch_add(wild);
    connection->Wake();
    EXPECT_TRUE(LostConnection(connection->socket())) << wild;
    ExpectOthersServed();
  }
}

// "I have read more than you wrote." The server sees it when its ring looks full.
TEST_F(HostileClientTest, WildTailOfTheServersRing) {
  for (const uint64_t wild : kWild) {
    const auto connection = Connect();
    connection->client().rx.tail.store(wild);
    connection->Send(Preface());
    bool lost = false;
    for (int i = 0; i < 2000 && !lost; ++i) {
      // Wait for room in our own ring as an honest writer would.
      while (!lost && connection->client().tx.head.load() + Record(Ping()).size() >
                          connection->server().rx.tail.load() + kRingBytes) {
        lost = LostConnection(connection->socket(), kMoment);
      }
      connection->Send(Ping());
    }
    EXPECT_TRUE(lost || LostConnection(connection->socket())) << wild;
    ExpectOthersServed();
  }
}

// Wishes and naps that make no sense are the client's own loss: nothing happens to others.
TEST_F(HostileClientTest, WildWishesAndNaps) {
  for (const uint64_t wild : kWild) {
    const auto connection = Connect();
    connection->client().tx.want_space.store(wild);
    connection->client().doorbell.epoch.store(static_cast<uint32_t>(wild));
    connection->Send(Preface());
    for (int i = 0; i < 10; ++i) {
      connection->client().doorbell.epoch.fetch_add(1);
      connection->Send(Ping());
      ExpectOthersServed();
    }
  }
}

TEST_F(HostileClientTest, BytesThatAreNoHttp2) {
  const auto connection = Connect();
  connection->Send(std::string(1000, 'x'));
  EXPECT_TRUE(LostConnection(connection->socket()));
}

// Records that cannot be, and loans outside the payload area.
TEST_F(HostileClientTest, WildRecords) {
  constexpr auto kAll = static_cast<uint32_t>(kPayloadBytes);
  for (const std::string& record :
       {std::string(4, '\0'), Loan({0, 0}), Loan({kAll, 1}), Loan({0, kAll + 1}),
        Loan({kAll - 1, 2}), Loan({1, kAll}), Loan({0xffffffff, 1}), Loan({1, 0x7fffffff})}) {
    const auto connection = Connect();
    connection->Send(Preface());
    connection->SendRaw(record);
    EXPECT_TRUE(LostConnection(connection->socket()));
    ExpectOthersServed();
  }
}

// Blocks that were never lent come back: the server sees it when it needs a block, for its
// answer to a PING not at all, so nothing is lost but what the client says of itself.
TEST_F(HostileClientTest, WildReturns) {
  for (const uint64_t wild : kWild) {
    const auto connection = Connect();
    connection->Send(Preface());
    for (size_t i = 0; i < internal::AreaPages(kPayloadBytes); ++i) {
      connection->returns()[i].store(static_cast<uint32_t>(wild + i));
    }
    connection->client().returns.returned.store(wild);
    for (int i = 0; i < 10; ++i) connection->Send(Ping());
    ExpectOthersServed();
  }
}

// Also the words that belong to the server, at random, over and over.
TEST_F(HostileClientTest, NoiseEverywhere) {
  std::minstd_rand random(4711);
  for (int round = 0; round < 50; ++round) {
    const auto connection = Connect();
    connection->Send(Preface());
    for (int i = 0; i < 20; ++i) {
      for (internal::LinkSideWords* side : {&connection->client(), &connection->server()}) {
        if (random() % 2) side->tx.head.store(random() % (3 * kRingBytes));
        if (random() % 2) side->tx.want_space.store(random());
        if (random() % 2) side->rx.tail.store(random() % (3 * kRingBytes));
        if (random() % 2) side->doorbell.epoch.store(random());
        if (random() % 2) side->returns.returned.store(random() % 32);
      }
      for (char& byte : connection->all().subspan(internal::kLinkControlBytes)) byte = random();
      connection->Wake();
    }
    if (round % 10 == 0) {
      for (char& byte : connection->all()) byte = random();
      connection->Wake();
    }
  }
}

// Wake-ups without end, and messages larger than a wake-up, with files attached.
TEST_F(HostileClientTest, FloodOfTheSocket) {
  const auto connection = Connect();
  for (int i = 0; i < 100'000; ++i) connection->Wake();
  ExpectOthersServed();
  const std::string large(60'000, 'x');
  iovec bytes{const_cast<char*>(large.data()), large.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int file = connection->socket();
  memcpy(CMSG_DATA(header), &file, sizeof(file));
  for (int i = 0; i < 1000; ++i) {
    sendmsg(connection->socket(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
}

// Handshakes gone wrong: nothing said, half of it, too much, nonsense, a file that nobody
// asked for.
TEST_F(HostileClientTest, BadHandshakes) {
  const auto name = internal::ServiceName::Parse("e2e/echo").value();
  for (const size_t size :
       {size_t{1}, size_t{15}, size_t{16}, size_t{31}, size_t{33}, size_t{60'000}}) {
    const auto socket = internal::Dial(transport_->place(), name);
    ASSERT_TRUE(socket.ok()) << socket.status();
    const std::string nonsense(size, 'x');
    ASSERT_EQ(send(socket->get(), nonsense.data(), size, MSG_NOSIGNAL), static_cast<ssize_t>(size));
    EXPECT_TRUE(LostConnection(socket->get())) << size;
  }
  for (int i = 0; i < 200; ++i) {  // gone before a word
    ASSERT_TRUE(internal::Dial(transport_->place(), name).ok());
  }
  for (int i = 0; i < 200; ++i) {  // gone after it
    const auto socket = internal::Dial(transport_->place(), name);
    ASSERT_TRUE(socket.ok());
    ASSERT_TRUE(internal::SendHello(socket->get(), internal::kNoFeatures).ok());
  }
}

// Connections that say nothing hold up a new client no longer than the handshake's time
// limit.
TEST_F(HostileClientTest, SilentConnections) {
  const auto name = internal::ServiceName::Parse("e2e/echo").value();
  std::vector<internal::UniqueFd> silent;
  for (int i = 0; i < 200; ++i) {
    auto socket = internal::Dial(transport_->place(), name);
    ASSERT_TRUE(socket.ok()) << socket.status();
    silent.push_back(*std::move(socket));
  }
  const auto channel =
      MakeChannel(*transport_, {.configure = [](grpc::ChannelArguments* arguments) {
        arguments->SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      }});
  const ClientCall call = {.prepare = [](grpc::ClientContext* context) {
    context->set_wait_for_ready(true);
    context->set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(60)));
  }};
  const absl::Time start = absl::Now();
  const Outcome outcome = Perform(Echo::NewStub(channel).get(), call);
  EXPECT_TRUE(outcome.status.ok()) << outcome;
  std::cout << "a new client was served after " << absl::Now() - start << std::endl;
}

}  // namespace
}  // namespace grpc_cxl::e2e
