// SPDX-License-Identifier: Apache-2.0

// A slow reader stops a fast writer, so that memory stays bounded, and when it reads on
// nothing is lost.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

#include "absl/crc/crc32c.h"
#include "absl/functional/function_ref.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/echo_call.h"

namespace grpc_cxl::e2e {
namespace {

constexpr size_t kMessageBytes = 64 << 10;
constexpr int kMessages = 2000;  // 125 MiB in all
// Bytes that may lie between a writer and a reader that does not read: HTTP/2 windows (4 MiB by
// default), the ring, and what either end has in hand. Far less than there is to send.
constexpr int64_t kMostInBetween = (32 << 20) / kMessageBytes;

// The value at which `count` stays for half a second.
int64_t Settled(absl::FunctionRef<int64_t()> count) {
  int64_t last = -1;
  for (absl::Time since = absl::Now(); absl::Now() - since < absl::Milliseconds(500);) {
    if (const int64_t now = count(); now != last) {
      last = now;
      since = absl::Now();
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
  return last;
}

class BackPressureTest : public EveryTransportAnd<ServerApi> {
 protected:
  // Begins a stream from the server, reads one response, and lets the server come to a stop.
  std::unique_ptr<grpc::ClientReader<EchoResponse>> StartAndStall(EchoResponse* response) {
    EchoRequest request;
    request.mutable_script()->set_response_count(kMessages);
    request.mutable_script()->set_response_bytes(kMessageBytes);
    auto reader = pair_.stub->ServerStream(&context_, request);
    EXPECT_TRUE(reader->Read(response));
    const int64_t written = Settled([this] { return pair_.control().counts().responses; });
    EXPECT_GT(written, 1);
    EXPECT_LT(written, kMostInBetween);
    return reader;
  }

  EchoPair pair_{transport(), {.api = other()}};
  grpc::ClientContext context_;
};

TEST_P(BackPressureTest, SlowClientStopsTheServer) {
  EchoResponse response;
  const auto reader = StartAndStall(&response);
  int read = 0;
  do {
    ASSERT_TRUE(response.payload() == Pattern(kMessageBytes, read)) << "response " << read;
    ++read;
  } while (reader->Read(&response));
  EXPECT_EQ(read, kMessages);
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_P(BackPressureTest, SlowServerStopsTheClient) {
  EchoResponse response;
  const auto writer = pair_.stub->ClientStream(&context_, &response);
  std::atomic<int> written{0};
  absl::crc32c_t sent{0};
  std::thread thread([&] {
    EchoRequest request;
    request.mutable_script()->set_wait_at_gate(true);
    for (; written < kMessages; ++written) {
      request.set_payload(Pattern(kMessageBytes, written));
      sent = absl::ExtendCrc32c(sent, request.payload());
      ASSERT_TRUE(writer->Write(request)) << written;
    }
    writer->WritesDone();
  });
  EXPECT_TRUE(pair_.control().AwaitAtGate(1));
  EXPECT_LT(Settled([&written] { return written.load(); }), kMostInBetween);
  pair_.control().OpenGate();
  thread.join();
  const grpc::Status status = writer->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.requests(), kMessages);
  EXPECT_EQ(response.checksum(), static_cast<uint32_t>(sent));
}

// A stream without a reader must not stop the other calls of its connection.
TEST_P(BackPressureTest, StoppedStreamStopsNoOther) {
  EchoResponse response;
  const auto reader = StartAndStall(&response);
  ClientCall call = CallOfSize(1 << 20);
  call.prepare = WithDeadline(absl::Seconds(20));
  const Outcome outcome = pair_.Run(call);
  EXPECT_TRUE(outcome.status.ok()) << outcome;
  context_.TryCancel();
  reader->Finish();
}

INSTANTIATE_TEST_SUITE_P(Everywhere, BackPressureTest,
                         ::testing::Combine(::testing::ValuesIn(kMostTransports),
                                            ::testing::Values(ServerApi::kSync,
                                                              ServerApi::kCallback)),
                         ParamName());

}  // namespace
}  // namespace grpc_cxl::e2e
