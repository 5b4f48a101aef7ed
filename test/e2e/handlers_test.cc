// Handlers that do what handlers should not: sleep on gRPC's thread, call back into their own
// server and wait for it, throw. Nobody else suffers for it, and on no transport more than on
// another.

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/lambda_server.h"

namespace grpc_cxl::e2e {
namespace {

class HandlersTest : public EveryTransport {
 protected:
  HandlersTest() : transport_(Transport::Make(GetParam())) {}

  // Starts the server and connects, so that direct calls can be made.
  void Serve(LambdaServer::Handler handler) {
    server_ = std::make_unique<LambdaServer>(*transport_, std::move(handler));
    channel_ = MakeChannel(*transport_);
    ASSERT_TRUE(channel_->WaitForConnected(absl::ToChronoTime(absl::Now() + absl::Seconds(20))));
    stub_ = Echo::NewStub(channel_);
  }
  grpc::Status Call(const std::string& payload, EchoResponse* response = nullptr) {
    EchoRequest request;
    request.set_payload(payload);
    EchoResponse ignored;
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
    return stub_->Unary(&context, request, response != nullptr ? response : &ignored);
  }

  const std::unique_ptr<Transport> transport_;
  std::unique_ptr<LambdaServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Echo::Stub> stub_;
};

TEST_P(HandlersTest, OneThatSleepsDelaysOthersLittle) {
  const absl::Duration nap = absl::Seconds(2);
  Serve([&](grpc::CallbackServerContext*, const EchoRequest& request, EchoResponse*) {
    if (request.payload() == "sleep") absl::SleepFor(nap);
    return grpc::Status::OK;
  });
  ASSERT_TRUE(Call("warm up").ok());
  std::thread sleeper([&] { EXPECT_TRUE(Call("sleep").ok()); });
  absl::Duration longest;
  const absl::Time end = absl::Now() + nap / 2;
  for (absl::Time start = absl::Now(); start < end; start = absl::Now()) {
    ASSERT_TRUE(Call("quick").ok());
    longest = std::max(longest, absl::Now() - start);
  }
  sleeper.join();
  std::cout << "the longest of the others took " << longest << std::endl;
  EXPECT_LT(longest, absl::Seconds(1));  // not the nap; measured: a few ms
}

TEST_P(HandlersTest, OneThatCallsItsOwnServerAndWaitsIsServed) {
  Serve([&](grpc::CallbackServerContext*, const EchoRequest& request, EchoResponse* response) {
    if (request.payload().size() == 1) return grpc::Status::OK;
    EchoResponse inner;
    const grpc::Status status = Call(request.payload().substr(1), &inner);
    response->set_requests(inner.requests() + 1);
    return status;
  });
  ASSERT_TRUE(Call("1").ok());
  EchoResponse response;
  const grpc::Status status = Call("4321", &response);  // three calls wait in each other
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.requests(), 3u);
}

TEST_P(HandlersTest, OneThatThrowsEndsItsCallOnly) {
  const auto status_of_throw = [](TransportKind kind) {
    const auto transport = Transport::Make(kind);
    LambdaServer server(*transport, [](auto*, const EchoRequest& request, auto*) -> grpc::Status {
      if (request.payload() == "throw") throw std::runtime_error("thrown by the test");
      return grpc::Status::OK;
    });
    const auto channel = MakeChannel(*transport);
    EXPECT_TRUE(channel->WaitForConnected(absl::ToChronoTime(absl::Now() + absl::Seconds(20))));
    const auto stub = Echo::NewStub(channel);
    ClientCall call;
    call.requests[0].set_payload("throw");
    const Outcome outcome = Perform(stub.get(), call);
    EXPECT_FALSE(outcome.status.ok());
    EXPECT_TRUE(Perform(stub.get(), {}).status.ok());
    return Describe(outcome);
  };
  EXPECT_EQ(status_of_throw(GetParam()), status_of_throw(TransportKind::kTcp));
}

INSTANTIATE_TEST_SUITE_P(Everywhere, HandlersTest, ::testing::ValuesIn(kTestedTransports),
                         TransportName);

}  // namespace
}  // namespace grpc_cxl::e2e
