// gRPC's own services, health and reflection, beside the user's.

#include <gmock/gmock.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/health_check_service_interface.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "test/e2e/calls_fixture.h"
#include "test/e2e/health.grpc.pb.h"

namespace grpc_cxl::e2e {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

class ServicesTest : public EveryTransport {
 protected:
  // The plugin and the health service belong to servers that are built from here on.
  ServicesTest() {
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::EnableDefaultHealthCheckService(true);
    pair_ = std::make_unique<EchoPair>(GetParam());
  }
  ~ServicesTest() override { grpc::EnableDefaultHealthCheckService(false); }

  std::unique_ptr<EchoPair> pair_;
};

TEST_P(ServicesTest, HealthIsCheckedAndWatched) {
  const auto stub = Health::NewStub(pair_->channel);
  const auto check = [&](const std::string& service, HealthCheckResponse* response) {
    grpc::ClientContext context;
    HealthCheckRequest request;
    request.set_service(service);
    return stub->Check(&context, request, response);
  };
  HealthCheckResponse response;
  EXPECT_TRUE(check("", &response).ok());
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  EXPECT_EQ(check("unknown", &response).error_code(), grpc::NOT_FOUND);

  grpc::ClientContext context;
  const auto watch = stub->Watch(&context, HealthCheckRequest());
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  pair_->server->server().GetHealthCheckService()->SetServingStatus(false);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_TRUE(check("", &response).ok());
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  context.TryCancel();
  while (watch->Read(&response)) continue;
  EXPECT_EQ(watch->Finish().error_code(), grpc::CANCELLED);
}

// Its messages are not public, so this asks by hand: field 7 is list_services.
TEST_P(ServicesTest, ReflectionListsTheServices) {
  grpc::GenericStub stub(pair_->channel);
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  const auto await = [&queue](int expected) {
    void* tag;
    bool ok;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_TRUE(ok) << expected;
    EXPECT_EQ(tag, reinterpret_cast<void*>(expected));
  };
  const auto tag = [](int number) { return reinterpret_cast<void*>(number); };
  const auto call = stub.PrepareCall(
      &context, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &queue);
  call->StartCall(tag(1));
  await(1);
  const grpc::Slice list_services("\x3a\x00", 2);
  call->Write(grpc::ByteBuffer(&list_services, 1), tag(2));
  await(2);
  grpc::ByteBuffer answer;
  call->Read(&answer, tag(3));
  await(3);
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(answer.Dump(&slices).ok());
  std::string text;
  for (const grpc::Slice& slice : slices) text.append(slice.begin(), slice.end());
  EXPECT_THAT(text, ::testing::HasSubstr("grpc_cxl.e2e.Echo"));
  EXPECT_THAT(text, ::testing::HasSubstr("grpc.health.v1.Health"));
  call->WritesDone(tag(4));
  await(4);
  grpc::Status status;
  call->Finish(&status, tag(5));
  await(5);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

INSTANTIATE_TEST_SUITE_P(Everywhere, ServicesTest, ::testing::ValuesIn(kTestedTransports),
                         TransportName);

}  // namespace
}  // namespace grpc_cxl::e2e
