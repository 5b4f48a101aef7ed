// SPDX-License-Identifier: Apache-2.0

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
using ::testing::AllOf;
using ::testing::HasSubstr;

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
  HealthCheckResponse response;
  const auto check = [&](const std::string& service) {
    grpc::ClientContext context;
    HealthCheckRequest request;
    request.set_service(service);
    return stub->Check(&context, request, &response).error_code();
  };
  EXPECT_EQ(check(""), grpc::OK);
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  EXPECT_EQ(check("unknown"), grpc::NOT_FOUND);

  grpc::ClientContext context;
  const auto watch = stub->Watch(&context, HealthCheckRequest());
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  pair_->server->server().GetHealthCheckService()->SetServingStatus(false);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(check(""), grpc::OK);
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  context.TryCancel();
  while (watch->Read(&response)) continue;
  EXPECT_EQ(watch->Finish().error_code(), grpc::CANCELLED);
}

// Its messages are not public, so this asks by hand: field 7 is list_services. A unary call
// is a stream with one message each way.
TEST_P(ServicesTest, ReflectionListsTheServices) {
  grpc::GenericStub stub(pair_->channel);
  const grpc::Slice list_services("\x3a\x00", 2);
  const grpc::ByteBuffer request(&list_services, 1);
  grpc::ByteBuffer answer;
  CallGenerically(stub, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &request,
                  &answer);
  grpc::Slice whole;
  ASSERT_TRUE(answer.DumpToSingleSlice(&whole).ok());
  EXPECT_THAT(std::string(whole.begin(), whole.end()),
              AllOf(HasSubstr("grpc_cxl.e2e.Echo"), HasSubstr("grpc.health.v1.Health")));
}

INSTANTIATE_TEST_SUITE_P(Everywhere, ServicesTest, ::testing::ValuesIn(kTestedTransports),
                         ParamName());

}  // namespace
}  // namespace grpc_cxl::e2e
