// Proves, over tcp, unix and cxl and with all eight services as processes, that a request
// takes the calls that it should, that the data rules hold end to end, and that services
// find each other again after one was killed.

#include <grpcpp/grpcpp.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "bench/harness/temporary_directory.h"
#include "examples/hotel_reservation/hotels.grpc.pb.h"
#include "examples/hotel_reservation/launcher/cluster.h"
#include "examples/hotel_reservation/launcher/load_run.h"
#include "examples/hotel_reservation/load_generator/services_usage.h"
#include "examples/hotel_reservation/services/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hotel_reservation {
namespace {

using testing::HasSubstr;

Location Fairfield() {
  Location place;
  place.set_latitude(38.0235);
  place.set_longitude(-122.095);
  return place;
}

Stay TwoNights() {
  Stay stay;
  stay.set_check_in("2015-04-09");
  stay.set_check_out("2015-04-11");
  return stay;
}

ReserveRequest Reservation(int rooms) {
  ReserveRequest request;
  request.set_user_name("guest_7");
  request.set_password("7777777777");
  request.set_customer_name("Ada");
  request.set_hotel_id("39");
  *request.mutable_stay() = TwoNights();
  request.set_rooms(rooms);
  return request;
}

class ServicesTest : public testing::TestWithParam<const char*> {
 protected:
  ServicesTest() : directory_(*grpc_cxl::bench::TemporaryDirectory::Create()) {
    setenv("GRPC_CXL_DIR", directory_.path().c_str(), /*overwrite=*/1);
    auto cluster = Cluster::Start({.transport = GetParam(),
                                   .programs = "examples/hotel_reservation",
                                   .directory = directory_.path(),
                                   .database = "",
                                   .http = "127.0.0.1:0"});
    EXPECT_TRUE(cluster.ok()) << cluster.status();
    if (!cluster.ok()) return;
    cluster_ = *std::move(cluster);
    frontend_ = Frontend::NewStub(MakeChannel(cluster_->addresses(), "frontend"));
  }

  void SetUp() override { ASSERT_NE(cluster_, nullptr); }

  template <typename Request, typename Reply>
  grpc::Status Call(grpc::Status (Frontend::Stub::*method)(grpc::ClientContext*, const Request&,
                                                           Reply*),
                    const Request& request, Reply& reply) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    return (frontend_.get()->*method)(&context, request, &reply);
  }

  grpc::Status Reserve(int rooms, ReserveReply& reply) {
    return Call(&Frontend::Stub::Reserve, Reservation(rooms), reply);
  }

  // How many calls the services behind the frontend serve because of `request`.
  template <typename Function>
  std::optional<int64_t> BackendCallsOf(Function request) {
    ServicesUsage usage(cluster_->addresses());
    usage.Start();
    request();
    const auto difference = usage.SinceStart();
    if (!difference) return std::nullopt;
    return difference->backend_calls;
  }

  grpc_cxl::bench::TemporaryDirectory directory_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Frontend::Stub> frontend_;
};

TEST_P(ServicesTest, EachKindOfRequestTakesItsCalls) {
  EXPECT_EQ(BackendCallsOf([&] {
              SearchHotelsRequest request;
              *request.mutable_location() = Fairfield();
              *request.mutable_stay() = TwoNights();
              SearchHotelsReply reply;
              ASSERT_TRUE(Call(&Frontend::Stub::SearchHotels, request, reply).ok());
              // Of the five nearest, those with a rate plan: every third hotel.
              ASSERT_GE(reply.hotels_size(), 1);
              for (const FoundHotel& hotel : reply.hotels()) {
                EXPECT_EQ(std::stoi(hotel.profile().id()) % 3, 0);
                EXPECT_FALSE(hotel.profile().name().empty());
                EXPECT_GT(hotel.total_rate(), 0);
              }
            }),
            5);
  EXPECT_EQ(BackendCallsOf([&] {
              RecommendRequest request;
              *request.mutable_location() = Fairfield();
              request.set_measure(DISTANCE);
              RecommendReply reply;
              ASSERT_TRUE(Call(&Frontend::Stub::Recommend, request, reply).ok());
              ASSERT_EQ(reply.hotels_size(), 1);
              EXPECT_FALSE(reply.hotels(0).name().empty());
            }),
            2);
  EXPECT_EQ(BackendCallsOf([&] {
              LogInRequest request;
              request.set_user_name("guest_7");
              request.set_password("7777777777");
              LogInReply reply;
              ASSERT_TRUE(Call(&Frontend::Stub::LogIn, request, reply).ok());
              EXPECT_TRUE(reply.correct());
            }),
            1);
  EXPECT_EQ(BackendCallsOf([&] {
              ReserveReply reply;
              ASSERT_TRUE(Reserve(1, reply).ok());
              EXPECT_GT(reply.reservation_id(), 0);
            }),
            2);
}

TEST_P(ServicesTest, RefusalsReachTheCallerAsSentences) {
  ReserveReply reply;
  ReserveRequest wrong = Reservation(1);
  wrong.set_password("7");
  grpc::Status status = Call(&Frontend::Stub::Reserve, wrong, reply);
  EXPECT_EQ(status.error_code(), grpc::UNAUTHENTICATED);
  EXPECT_THAT(status.error_message(), HasSubstr("wrong"));

  status = Reserve(201, reply);
  EXPECT_EQ(status.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("Hotel 39 has 200 of the 201 rooms free"));

  SearchHotelsRequest backwards;
  backwards.mutable_stay()->set_check_in("2015-04-11");
  backwards.mutable_stay()->set_check_out("2015-04-09");
  SearchHotelsReply none;
  status = Call(&Frontend::Stub::SearchHotels, backwards, none);
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
}

TEST_P(ServicesTest, ReservationsSurviveTheDeathOfTheirService) {
  ReserveReply reply;
  ASSERT_TRUE(Reserve(150, reply).ok());
  ASSERT_TRUE(cluster_->KillAndRestart("reservation").ok());
  ASSERT_TRUE(cluster_->AwaitHealthy().ok());
  // The frontend finds it again by itself.
  grpc::Status status;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  do {
    status = Reserve(51, reply);
  } while (status.error_code() == grpc::UNAVAILABLE && std::chrono::steady_clock::now() < deadline);
  EXPECT_EQ(status.error_code(), grpc::RESOURCE_EXHAUSTED) << status.error_message();
  EXPECT_TRUE(Reserve(50, reply).ok());
}

TEST_P(ServicesTest, LoadIsServedAlsoAfterAServiceWasKilled) {
  const absl::StatusOr<LoadResult> killed = RunLoad(*cluster_, {.per_second = 50,
                                                                .warmup_s = 0.2,
                                                                .seconds = 1.5,
                                                                .kill = "rate",
                                                                .kill_after_s = 0.3,
                                                                .deadline_s = 20});
  ASSERT_TRUE(killed.ok()) << killed.status();
  EXPECT_EQ(killed->served() + killed->errors(), 75);
  EXPECT_GT(killed->served(), 0);
  // Searches alone need the service that was away.
  for (const KindResult& kind : killed->kinds()) {
    if (kind.kind() != "search") {
      EXPECT_EQ(kind.errors(), 0) << kind.kind();
    }
  }
  ASSERT_TRUE(cluster_->AwaitHealthy().ok());

  const absl::StatusOr<LoadResult> after =
      RunLoad(*cluster_, {.per_second = 50, .warmup_s = 0.5, .seconds = 1, .deadline_s = 20});
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->served(), 50);
  EXPECT_EQ(after->errors(), 0) << after->DebugString();
  EXPECT_GE(after->rpcs_per_request(), 2);  // mean of 50 requests: between 2 and 5
  EXPECT_LE(after->rpcs_per_request(), 5);
  EXPECT_GT(after->services_cpu_us_per_request(), 0);
  EXPECT_GT(after->p50_ms(), 0);
  EXPECT_LE(after->p50_ms(), after->p999_ms());
}

INSTANTIATE_TEST_SUITE_P(Transports, ServicesTest, testing::Values("tcp", "unix", "cxl"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace hotel_reservation
