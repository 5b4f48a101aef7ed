// Proves that gRPC runs over a link without a socket, in memory that is not coherent: unary
// calls of several sizes and a stream, after pauses of several lengths; and a peer that is gone,
// as its Liveness tells, ends the calls UNAVAILABLE.

#include <grpcpp/create_channel_posix.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/passive_listener.h>
#include <netinet/in.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/log/check.h"
#include "absl/time/time.h"
#include "grpc_cxl/endpoint/endpoint.h"
#include "grpc_cxl/endpoint/endpoint_core.h"
#include "gtest/gtest.h"
#include "test/e2e/echo.grpc.pb.h"
#include "test/endpoint/endpoint_pair.h"
#include "test/link/link_pair.h"

namespace grpc_cxl::e2e {
namespace {

using grpc_event_engine::experimental::EventEngine;

constexpr size_t kRing = 64 << 10;
constexpr size_t kPayload = 1 << 20;

class Service final : public Echo::Service {
 public:
  grpc::Status Unary(grpc::ServerContext*, const EchoRequest* request,
                     EchoResponse* response) override {
    response->set_payload(request->payload());
    return grpc::Status::OK;
  }
  grpc::Status ClientStream(grpc::ServerContext*, grpc::ServerReader<EchoRequest>* reader,
                            EchoResponse* response) override {
    EchoRequest request;
    while (reader->Read(&request)) response->mutable_payload()->append(request.payload());
    return grpc::Status::OK;
  }
};

class FarEndpointTest : public ::testing::Test {
 protected:
  FarEndpointTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    builder.experimental().AddPassiveListener(grpc::InsecureServerCredentials(), listener_);
    server_ = builder.BuildAndStart();
    CHECK(server_ != nullptr);
    CHECK_OK(listener_->AcceptConnectedEndpoint(Make(std::move(pair_.server))));
    channel_ = grpc::experimental::CreateChannelFromEndpoint(Make(std::move(pair_.client)),
                                                             grpc::InsecureChannelCredentials(),
                                                             grpc::ChannelArguments());
    // A channel that was made from an endpoint says that it failed to connect until it has.
    CHECK(channel_->WaitForConnected(std::chrono::system_clock::now() + std::chrono::minutes(1)));
    stub_ = Echo::NewStub(channel_);
  }
  ~FarEndpointTest() override {
    stub_.reset();
    channel_.reset();
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  }

  static std::unique_ptr<EventEngine::Endpoint> Make(std::unique_ptr<internal::Link> link) {
    sockaddr_in place = {};  // gRPC wants one that it can print
    place.sin_family = AF_INET;
    const EventEngine::ResolvedAddress address(reinterpret_cast<const sockaddr*>(&place),
                                               sizeof(place));
    return std::make_unique<internal::Endpoint>(
        std::make_shared<internal::EndpointCore>(
            std::move(link), internal::SpinBudget(WaitPolicy::kAdaptive, absl::Microseconds(50)),
            grpc_event_engine::experimental::GetDefaultEventEngine(), /*trust_peer=*/true),
        internal::TestWatchdog()->Assign(), address, address);
  }

  grpc::Status Call(size_t bytes) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
    EchoRequest request;
    request.set_payload(std::string(bytes, static_cast<char>('a' + bytes % 26)));
    EchoResponse response;
    const grpc::Status status = stub_->Unary(&context, request, &response);
    if (status.ok()) {
      EXPECT_TRUE(response.payload() == request.payload()) << bytes;
    }
    return status;
  }

  internal::FarLinkPair pair_{kRing, kPayload};
  Service service_;
  std::unique_ptr<grpc::experimental::PassiveListener> listener_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Echo::Stub> stub_;
};

TEST_F(FarEndpointTest, CallsOfAllSizes) {
  for (const size_t bytes : {0, 1, 63, 64, 65, 4096, 16384, 65536, 300'000, 2'000'000}) {
    for (int i = 0; i < 5; ++i) {
      const grpc::Status status = Call(bytes + i);
      ASSERT_TRUE(status.ok()) << bytes << ": " << status.error_message();
      std::this_thread::sleep_for(std::chrono::milliseconds(i));
    }
  }
}

TEST_F(FarEndpointTest, AStream) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
  EchoResponse response;
  const auto writer = stub_->ClientStream(&context, &response);
  std::string sent;
  for (int i = 0; i < 200; ++i) {
    EchoRequest request;
    request.set_payload(std::string(100 * i, static_cast<char>('a' + i % 26)));
    sent += request.payload();
    ASSERT_TRUE(writer->Write(request));
  }
  ASSERT_TRUE(writer->WritesDone());
  const grpc::Status status = writer->Finish();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(response.payload() == sent);
}

TEST_F(FarEndpointTest, APeerThatIsGoneEndsTheCalls) {
  ASSERT_TRUE(Call(1).ok());
  pair_.gone[0] = true;  // the server's lease has run out, as far as the client can tell
  grpc::StatusCode code = grpc::StatusCode::OK;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (code == grpc::StatusCode::OK && std::chrono::steady_clock::now() < deadline) {
    code = Call(2).error_code();  // the client asks its Liveness now and then
  }
  EXPECT_EQ(code, grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace grpc_cxl::e2e
