// SPDX-License-Identifier: Apache-2.0

// Proves that a drained connection reads what the server sends and one GOAWAY more, at the first
// place between two frames, whether bytes come or not, whoever comes first; and that everything
// else about the endpoint is the inner one's.

#include "grpc_cxl/endpoint/drainable_endpoint.h"

#include <grpc/event_engine/event_engine.h>

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "absl/log/check.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "gtest/gtest.h"
#include "test/endpoint/endpoint_pair.h"
#include "test/endpoint/frames.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using grpc_event_engine::experimental::GetDefaultEventEngine;

// Reads what the test has it read.
class Wire final : public EventEngine::Endpoint {
 public:
  ~Wire() override { End(); }

  bool Read(absl::AnyInvocable<void(absl::Status)> on_read, SliceBuffer* buffer,
            ReadArgs) override {
    absl::MutexLock lock(mu_);
    CHECK(!on_read_) << "a second Read()";
    if (!waiting_.empty()) {
      Append(*buffer, std::exchange(waiting_, ""));
      return true;
    }
    on_read_ = std::move(on_read);
    buffer_ = buffer;
    return false;
  }
  bool Write(absl::AnyInvocable<void(absl::Status)>, SliceBuffer* data, WriteArgs) override {
    written = ToString(*data);
    return true;
  }
  const EventEngine::ResolvedAddress& GetPeerAddress() const override { return address; }
  const EventEngine::ResolvedAddress& GetLocalAddress() const override { return address; }
  std::shared_ptr<TelemetryInfo> GetTelemetryInfo() const override { return nullptr; }
  void* QueryExtension(absl::string_view id) override { return id == "one" ? this : nullptr; }

  void Bring(const std::string& bytes) {
    absl::AnyInvocable<void(absl::Status)> on_read;
    {
      absl::MutexLock lock(mu_);
      if (!on_read_) {
        waiting_ += bytes;
        return;
      }
      Append(*buffer_, bytes);
      on_read = std::exchange(on_read_, nullptr);
    }
    on_read(absl::OkStatus());
  }
  void End() {
    absl::AnyInvocable<void(absl::Status)> on_read;
    {
      absl::MutexLock lock(mu_);
      on_read = std::exchange(on_read_, nullptr);
    }
    if (on_read) on_read(absl::UnavailableError("the end"));
  }

  std::string written;
  EventEngine::ResolvedAddress address;

 private:
  absl::Mutex mu_;
  absl::AnyInvocable<void(absl::Status)> on_read_ ABSL_GUARDED_BY(mu_);
  SliceBuffer* buffer_ ABSL_GUARDED_BY(mu_) = nullptr;
  std::string waiting_ ABSL_GUARDED_BY(mu_);
};

const std::string kFirst = Settings() + Frame(kHeaders, kEndHeaders, 1, 5);
constexpr char kText[] = "grpc_cxl: a server of this host";

// Without the text.
std::string Brief(std::string read) {
  const std::string go_away =
      absl::StrCat(std::string("\0\0\x27\x07\0\0\0\0\0\x7f\xff\xff\xff\0\0\0\0", 17), kText);
  if (const size_t at = read.find(go_away); at != std::string::npos) {
    read.replace(at, go_away.size(), "GOAWAY");
  }
  return read;
}

class DrainableEndpointTest : public ::testing::Test {
 protected:
  DrainableEndpointTest() {
    auto wire = std::make_unique<Wire>();
    wire_ = wire.get();
    endpoint_ = std::make_unique<DrainableEndpoint>(std::move(wire), GetDefaultEventEngine());
  }

  // A read that begins now.
  void Begin() {
    outcome_ = std::make_unique<Outcome>();
    buffer_.Clear();
    at_once_ = endpoint_->Read(outcome_->Callback(), &buffer_, {});
  }
  std::string End() {
    const absl::Status status = at_once_ ? absl::OkStatus() : outcome_->Wait();
    return status.ok() ? Brief(ToString(buffer_)) : std::string(status.message());
  }
  std::string Read() {
    Begin();
    return End();
  }
  std::string Bring(const std::string& bytes) {
    wire_->Bring(bytes);
    return Read();
  }

  Wire* wire_;
  std::unique_ptr<DrainableEndpoint> endpoint_;
  SliceBuffer buffer_;
  std::unique_ptr<Outcome> outcome_;
  bool at_once_ = false;
};

TEST_F(DrainableEndpointTest, APendingReadGetsTheGoAwayAndTheNextOneTheBytes) {
  EXPECT_EQ(Bring(kFirst), kFirst);
  Begin();
  EXPECT_TRUE(endpoint_->reads()->Drain());
  EXPECT_FALSE(endpoint_->reads()->Drain());
  EXPECT_EQ(End(), "GOAWAY");
  Begin();  // the wire's first one is pending still
  wire_->Bring("bytes");
  EXPECT_EQ(End(), "bytes");
  // Bytes that come while gRPC does not read.
  wire_->Bring("more");
  EXPECT_EQ(Read(), "more");
  wire_->End();
}

TEST_F(DrainableEndpointTest, BytesThatOvertookNothingAreKept) {
  EXPECT_EQ(Bring(kFirst), kFirst);
  Begin();
  endpoint_->reads()->Drain();
  EXPECT_EQ(End(), "GOAWAY");
  wire_->Bring("bytes");  // ends the wire's read; gRPC has none
  EXPECT_EQ(Read(), "bytes");
  Begin();
  wire_->End();
  EXPECT_EQ(End(), "the end");
}

TEST_F(DrainableEndpointTest, AnEndThatNobodyReadsIsKept) {
  EXPECT_EQ(Bring(kFirst), kFirst);
  Begin();
  endpoint_->reads()->Drain();
  EXPECT_EQ(End(), "GOAWAY");
  wire_->End();
  EXPECT_EQ(Read(), "the end");
}

TEST_F(DrainableEndpointTest, WaitsForTheFirstCallAndTheEndOfAFrame) {
  endpoint_->reads()->Drain();
  EXPECT_EQ(Bring(Settings()), Settings());
  const std::string data = Frame(kData, 0, 1, 20), open = Frame(kHeaders, 0, 1, 4),
                    rest = Frame(kContinuation, kEndHeaders, 1, 4);
  EXPECT_EQ(Bring(data), data);
  EXPECT_EQ(Bring(open), open);
  EXPECT_EQ(Bring(rest.substr(0, 4)), rest.substr(0, 4));
  EXPECT_EQ(Bring(rest.substr(4) + data + data), rest.substr(4) + "GOAWAY" + data + data);
  EXPECT_EQ(Bring(data), data);
}

TEST_F(DrainableEndpointTest, AFrameOnItsWayComesFirst) {
  const std::string data = Frame(kData, 0, 1, 20);
  EXPECT_EQ(Bring(kFirst + data.substr(0, 15)), kFirst + data.substr(0, 15));
  Begin();
  endpoint_->reads()->Drain();
  wire_->Bring(data.substr(15));
  EXPECT_EQ(End(), data.substr(15) + "GOAWAY");
}

TEST_F(DrainableEndpointTest, OtherProtocolsAreLeftAlone) {
  const std::string tls("\x16\x03\x03\x04\x00\x02\x00\x00\x7a", 9);
  endpoint_->reads()->Drain();
  EXPECT_EQ(Bring(tls + kFirst), tls + kFirst);
  Begin();
  wire_->Bring(kFirst);
  EXPECT_EQ(End(), kFirst);
}

TEST_F(DrainableEndpointTest, EverythingElseIsTheInnerEndpoints) {
  EXPECT_EQ(endpoint_->QueryExtension("one"), wire_);
  EXPECT_EQ(endpoint_->QueryExtension("two"), nullptr);
  EXPECT_EQ(&endpoint_->GetPeerAddress(), &wire_->address);
  SliceBuffer data;
  Append(data, "request");
  EXPECT_TRUE(endpoint_->Write([](const absl::Status&) {}, &data, {}));
  EXPECT_EQ(wire_->written, "request");
  Begin();
  endpoint_ = nullptr;
  EXPECT_THAT(outcome_->Wait(), StatusIs(absl::StatusCode::kUnavailable));
}

// A reader, the wire and Drain() beside each other: nothing is lost, doubled or out of order.
TEST_F(DrainableEndpointTest, NoOrderOfEventsHarmsTheStream) {
  std::minstd_rand random(1);
  for (int round = 0; round < 300; ++round) {
    std::string stream = kFirst;
    for (int i = 0; i < 20; ++i) stream += Frame(kData, 0, 1, random() % 50);
    auto wire = std::make_unique<Wire>();
    Wire* const raw = wire.get();
    DrainableEndpoint endpoint(std::move(wire), GetDefaultEventEngine());
    std::thread bring([&stream, raw, seed = random()] {
      std::minstd_rand cuts(seed);
      for (size_t at = 0; at < stream.size();) {
        const std::string piece = stream.substr(at, 1 + cuts() % 100);
        raw->Bring(piece);
        at += piece.size();
      }
    });
    std::thread drain([&endpoint, spins = random() % 3000] {
      for (std::atomic<unsigned> i{0}; i < spins; ++i) {
      }
      endpoint.reads()->Drain();
    });
    std::string read;
    while (read.size() < stream.size() + 17 + sizeof(kText) - 1) {
      SliceBuffer buffer;
      Outcome outcome;
      if (!endpoint.Read(outcome.Callback(), &buffer, {})) {
        ASSERT_THAT(outcome.Wait(), IsOk());
      }
      read += ToString(buffer);
    }
    bring.join();
    drain.join();
    std::string rest = Brief(read);
    const size_t at = rest.find("GOAWAY");
    ASSERT_NE(at, std::string::npos) << "round " << round;
    FrameWalker walker;
    walker.Walk({reinterpret_cast<const uint8_t*>(rest.data()), at}, false);
    EXPECT_TRUE(walker.MayInsert());
    ASSERT_EQ(rest.erase(at, 6), stream) << "round " << round;
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
