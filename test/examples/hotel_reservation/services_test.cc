// SPDX-License-Identifier: Apache-2.0
// Proves, over tcp, unix and cxl with all eight services as processes, and in one process, that a
// request takes the calls that it should, that the data rules hold end to end, and that services
// find each other again after one was killed.

#include <grpcpp/grpcpp.h>
#include <stdlib.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "examples/hotel_reservation/hotels.grpc.pb.h"
#include "examples/hotel_reservation/launcher/cluster.h"
#include "examples/hotel_reservation/load_generator/services_usage.h"
#include "examples/hotel_reservation/services/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/support/temporary_directory.h"

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

struct Placed {
  std::string transport;
  bool together = false;
};

class ServicesTest : public testing::TestWithParam<Placed> {
 protected:
  ServicesTest() {
    setenv("GRPC_CXL_DIR", directory_.path().c_str(), /*overwrite=*/1);
    auto cluster = Cluster::Start({.transport = GetParam().transport,
                                   .together = GetParam().together,
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
  using Method = grpc::Status (Frontend::Stub::*)(grpc::ClientContext*, const Request&, Reply*);

  template <typename Request, typename Reply>
  grpc::Status Call(Method<Request, Reply> method, const Request& request, Reply& reply) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    return (frontend_.get()->*method)(&context, request, &reply);
  }

  grpc::Status Reserve(int rooms, ReserveReply& reply) {
    return Call(&Frontend::Stub::Reserve, Reservation(rooms), reply);
  }

  // Makes a call and returns how many calls the services behind the frontend serve because of it.
  template <typename Request, typename Reply>
  std::optional<int64_t> BackendCallsOf(Method<Request, Reply> method, const Request& request,
                                        Reply& reply) {
    ServicesUsage usage(cluster_->addresses());
    usage.Start();
    EXPECT_TRUE(Call(method, request, reply).ok());
    const auto difference = usage.SinceStart();
    if (!difference) return std::nullopt;
    return difference->backend_calls;
  }

  const grpc_cxl::internal::TemporaryDirectory directory_{"/tmp"};
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Frontend::Stub> frontend_;
};

TEST_P(ServicesTest, RequestsTakeTheirCallsOrAreRefused) {
  SearchHotelsRequest search;
  *search.mutable_location() = Fairfield();
  *search.mutable_stay() = TwoNights();
  SearchHotelsReply found;
  EXPECT_EQ(BackendCallsOf(&Frontend::Stub::SearchHotels, search, found), 5);
  // The hotels with a rate plan among the five nearest: every third.
  ASSERT_GE(found.hotels_size(), 1);
  for (const FoundHotel& hotel : found.hotels()) {
    EXPECT_EQ(std::stoi(hotel.profile().id()) % 3, 0);
    EXPECT_FALSE(hotel.profile().name().empty());
    EXPECT_GT(hotel.total_rate(), 0);
  }

  RecommendRequest recommend;
  *recommend.mutable_location() = Fairfield();
  recommend.set_measure(DISTANCE);
  RecommendReply recommended;
  EXPECT_EQ(BackendCallsOf(&Frontend::Stub::Recommend, recommend, recommended), 2);
  ASSERT_EQ(recommended.hotels_size(), 1);
  EXPECT_FALSE(recommended.hotels(0).name().empty());

  LogInRequest log_in;
  log_in.set_user_name("guest_7");
  log_in.set_password("7777777777");
  LogInReply logged_in;
  EXPECT_EQ(BackendCallsOf(&Frontend::Stub::LogIn, log_in, logged_in), 1);
  EXPECT_TRUE(logged_in.correct());

  ReserveReply reply;
  EXPECT_EQ(BackendCallsOf(&Frontend::Stub::Reserve, Reservation(1), reply), 2);
  EXPECT_GT(reply.reservation_id(), 0);

  // Refusals reach the caller as sentences.
  ReserveRequest wrong = Reservation(1);
  wrong.set_password("7");
  grpc::Status status = Call(&Frontend::Stub::Reserve, wrong, reply);
  EXPECT_EQ(status.error_code(), grpc::UNAUTHENTICATED);
  EXPECT_THAT(status.error_message(), HasSubstr("wrong"));

  status = Reserve(201, reply);
  EXPECT_EQ(status.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("Hotel 39 has 199 of the 201 rooms free"));

  search.mutable_stay()->set_check_out("2015-04-08");
  status = Call(&Frontend::Stub::SearchHotels, search, found);
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

INSTANTIATE_TEST_SUITE_P(Transports, ServicesTest,
                         testing::Values(Placed{"tcp"}, Placed{"unix"}, Placed{"cxl"},
                                         Placed{"cxl", /*together=*/true}),
                         [](const auto& info) {
                           return info.param.transport + (info.param.together ? "_together" : "");
                         });

}  // namespace
}  // namespace hotel_reservation
