// SPDX-License-Identifier: Apache-2.0
// Proves the rules on the data: what the data set holds, which hotels are near, which are
// best, and what counts as a stay.

#include <fstream>
#include <set>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "examples/hotel_reservation/data/data_set.h"
#include "examples/hotel_reservation/data/geo_index.h"
#include "examples/hotel_reservation/data/recommender.h"
#include "examples/hotel_reservation/data/stay.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/support/temporary_directory.h"

namespace hotel_reservation {
namespace {

using grpc_cxl::internal::TemporaryDirectory;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<Hotel> Hotels() {
  absl::StatusOr<Database> database = OpenDataSet("");
  EXPECT_TRUE(database.ok()) << database.status();
  return *ReadHotels(*database);
}

TEST(DataSetTest, HoldsHotelsRatePlansAndUsers) {
  absl::StatusOr<Database> database = OpenDataSet("");
  ASSERT_TRUE(database.ok()) << database.status();
  std::set<std::string> with_plan, expected;
  const std::vector<Hotel> hotels = *ReadHotels(*database);
  EXPECT_EQ(hotels.size(), 80u);
  for (const Hotel& hotel : hotels) {
    const int number = std::stoi(hotel.id);
    EXPECT_EQ(hotel.rooms, number % 3 == 0 ? 200 : number % 3 == 1 ? 300 : 250) << number;
    if (number <= 3 || number % 3 == 0) expected.insert(hotel.id);
  }
  const std::vector<RatePlanRow> plans = *ReadRatePlans(*database);
  for (const RatePlanRow& plan : plans) with_plan.insert(plan.hotel_id);
  EXPECT_EQ(with_plan, expected);
  EXPECT_EQ(plans.size(), expected.size());
  const std::vector<UserRow> users = *ReadUsers(*database);
  EXPECT_EQ(users.size(), 501u);
  EXPECT_THAT(users,
              testing::Contains(testing::AllOf(
                  testing::Field(&UserRow::name, "guest_42"),
                  testing::Field(&UserRow::password_hash, HashPassword("42424242424242424242")))));
  // SHA-256 of "abc".
  EXPECT_EQ(HashPassword("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

// Often enough that two connections switch a new file to its write-ahead log at the same time.
TEST(DataSetTest, SeveralProcessesMayFillOneFileAtOnce) {
  const TemporaryDirectory directory;
  for (int file = 0; file < 20; ++file) {
    const std::string path = absl::StrCat(directory.path(), "/hotels.", file);
    std::vector<absl::Status> results(8);
    std::vector<std::thread> threads;
    for (absl::Status& result : results) {
      threads.emplace_back([&result, &path] { result = OpenDataSet(path).status(); });
    }
    for (std::thread& thread : threads) thread.join();
    for (const absl::Status& result : results) EXPECT_TRUE(result.ok()) << result;
    absl::StatusOr<Database> database = OpenDataSet(path);
    ASSERT_TRUE(database.ok());
    EXPECT_EQ(ReadHotels(*database)->size(), 80u);
  }
}

TEST(DataSetTest, SaysWhatIsWrongWithAFile) {
  const TemporaryDirectory directory;
  EXPECT_THAT(OpenDataSet(directory.path() + "/no/folder.db").status().message(),
              HasSubstr("name a file in a folder that exists"));
  const std::string text = directory.path() + "/letter.txt";
  std::ofstream(text) << "Dear reader, this is a letter and not a database at all.";
  EXPECT_THAT(OpenDataSet(text).status().message(), HasSubstr("cannot be used as a database"));
}

TEST(GeoIndexTest, FindsTheNearestFiveWithinTenKilometres) {
  const std::vector<Hotel> hotels = Hotels();
  const GeoIndex index(hotels);
  const auto nearby = [&](const Hotel& hotel, double kilometres_north) {
    return index.Nearby(hotel.latitude + kilometres_north / 111.2, hotel.longitude);
  };
  // Around hotel 40, its neighbours on both sides.
  EXPECT_THAT(nearby(hotels[39], 0), testing::UnorderedElementsAre("38", "39", "40", "41", "42"));
  EXPECT_EQ(nearby(hotels[39], 0)[0], "40");
  EXPECT_THAT(nearby(hotels[79], 9), testing::Contains("80"));  // the northmost hotel
  EXPECT_THAT(nearby(hotels[79], 11), IsEmpty());
  EXPECT_NEAR(DistanceKm(0, 0, 0, 1), 111.19, 0.01);
  EXPECT_NEAR(DistanceKm(37.7749, -122.4194, 34.0522, -118.2437), 559.1, 1);  // to Los Angeles
}

TEST(RecommenderTest, FindsAllThatAreBest) {
  std::vector<Hotel> hotels(4);
  const double ratings[] = {7, 9, 9, 8}, prices[] = {100, 300, 90, 90};
  for (int i = 0; i < 4; ++i) {
    hotels[i].id = absl::StrCat("h", i);
    hotels[i].latitude = i;
    hotels[i].rating = ratings[i];
    hotels[i].price = prices[i];
  }
  const Recommender recommender(hotels);
  EXPECT_THAT(recommender.Nearest(2.1, 0), ElementsAre("h2"));
  EXPECT_THAT(recommender.BestRated(), ElementsAre("h1", "h2"));
  EXPECT_THAT(recommender.Cheapest(), ElementsAre("h2", "h3"));
}

TEST(StayTest, CountsNightsAndRefusesWhatIsNone) {
  const absl::StatusOr<Nights> nights = ParseStay("2015-04-09", "2015-04-11");
  ASSERT_TRUE(nights.ok()) << nights.status();
  EXPECT_EQ(nights->first, 16534);  // days since 1970-01-01
  EXPECT_EQ(nights->count(), 2);
  EXPECT_EQ(ParseStay("2015-04-30", "2015-05-01")->count(), 1);
  EXPECT_EQ(ParseStay("2015-04-01", "2015-05-01")->count(), 30);
  for (const auto& [in, out] :
       std::vector<std::pair<std::string, std::string>>{{"2015-04-09", "2015-04-09"},
                                                        {"2015-04-09", "2015-04-08"},
                                                        {"2015-04-01", "2015-05-02"},
                                                        {"2015-02-30", "2015-03-01"},
                                                        {"yesterday", "2015-03-01"},
                                                        {"2015-04-09", ""},
                                                        {"12015-4-09", "2015-04-10"}}) {
    EXPECT_EQ(ParseStay(in, out).status().code(), absl::StatusCode::kInvalidArgument)
        << in << " to " << out;
  }
}

}  // namespace
}  // namespace hotel_reservation
