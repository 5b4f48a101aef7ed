// Proves the rules on the data: what the data set holds, which hotels are near, which are
// best, and what counts as a stay.

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/harness/temporary_directory.h"
#include "examples/hotel_reservation/data/data_set.h"
#include "examples/hotel_reservation/data/geo_index.h"
#include "examples/hotel_reservation/data/recommender.h"
#include "examples/hotel_reservation/data/stay.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hotel_reservation {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<Hotel> Hotels() {
  absl::StatusOr<Database> database = OpenDataSet("");
  EXPECT_TRUE(database.ok()) << database.status();
  return *ReadHotels(*database);
}

TEST(DataSetTest, HoldsHotelsWithTheirRooms) {
  const std::vector<Hotel> hotels = Hotels();
  ASSERT_EQ(hotels.size(), 80u);
  for (int number = 1; number <= 80; ++number) {
    const Hotel& hotel = hotels[number - 1];
    EXPECT_EQ(hotel.id, absl::StrCat(number));
    EXPECT_EQ(hotel.rooms, number % 3 == 0 ? 200 : number % 3 == 1 ? 300 : 250) << number;
    EXPECT_FALSE(hotel.name.empty());
    if (number > 6) {
      EXPECT_DOUBLE_EQ(hotel.latitude, 37.7835 + number * 3 / 500.0);
      EXPECT_DOUBLE_EQ(hotel.longitude, -122.41 + number * 4 / 500.0);
    }
  }
}

TEST(DataSetTest, HotelsOneToThreeAndEveryThirdHaveARatePlan) {
  absl::StatusOr<Database> database = OpenDataSet("");
  ASSERT_TRUE(database.ok()) << database.status();
  std::multiset<std::string> with_plan, expected;
  const absl::StatusOr<std::vector<RatePlanRow>> plans = ReadRatePlans(*database);
  for (const RatePlanRow& plan : *plans) {
    with_plan.insert(plan.hotel_id);
    EXPECT_GT(plan.nightly_rate, 0);
  }
  for (int number = 1; number <= 80; ++number) {
    if (number <= 3 || number % 3 == 0) expected.insert(absl::StrCat(number));
  }
  EXPECT_EQ(with_plan, expected);
}

TEST(DataSetTest, UsersHaveHashedPasswords) {
  absl::StatusOr<Database> database = OpenDataSet("");
  ASSERT_TRUE(database.ok()) << database.status();
  const absl::StatusOr<std::vector<UserRow>> users = ReadUsers(*database);
  ASSERT_EQ(users->size(), 501u);
  for (const UserRow& user : *users) {
    if (user.name == "guest_42") {
      EXPECT_EQ(user.password_hash, HashPassword("42424242424242424242"));
    }
  }
  // The known value of SHA-256 of "abc".
  EXPECT_EQ(HashPassword("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(DataSetTest, ManyMayFillOneFileAtOnce) {
  const auto directory = grpc_cxl::bench::TemporaryDirectory::Create();
  const std::string path = directory->path() + "/hotels.db";
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

TEST(DataSetTest, SaysWhatIsWrongWithAFile) {
  const auto directory = grpc_cxl::bench::TemporaryDirectory::Create();
  EXPECT_THAT(OpenDataSet(directory->path() + "/no/folder.db").status().message(),
              HasSubstr("name a file in a folder that exists"));
  const std::string text = directory->path() + "/letter.txt";
  std::ofstream(text) << "Dear reader, this is a letter and not a database at all.";
  EXPECT_THAT(OpenDataSet(text).status().message(), HasSubstr("cannot be used as a database"));
}

TEST(GeoIndexTest, FindsTheNearestFiveWithinTenKilometres) {
  const std::vector<Hotel> hotels = Hotels();
  const GeoIndex index(hotels);
  // At hotel 40: its neighbours on both sides follow in pairs of about the same distance.
  const std::vector<std::string> found = index.Nearby(hotels[39].latitude, hotels[39].longitude);
  ASSERT_EQ(found.size(), 5u);
  EXPECT_EQ(found[0], "40");
  EXPECT_EQ(std::set<std::string>(found.begin(), found.end()),
            (std::set<std::string>{"38", "39", "40", "41", "42"}));
  double last = 0;
  for (const std::string& id : found) {
    const Hotel& hotel = hotels[std::stoi(id) - 1];
    const double distance =
        DistanceKm(hotels[39].latitude, hotels[39].longitude, hotel.latitude, hotel.longitude);
    EXPECT_GE(distance, last);
    EXPECT_LE(distance, 10);
    last = distance;
  }
  // One degree of latitude is 111 km: 9 km south of hotel 80 is near enough, 11 km north of
  // the last one in the line is not.
  const Hotel& northmost = hotels[79];
  EXPECT_THAT(index.Nearby(northmost.latitude + 9 / 111.2, northmost.longitude),
              testing::Contains("80"));
  EXPECT_THAT(index.Nearby(northmost.latitude + 11 / 111.2, northmost.longitude), IsEmpty());
}

TEST(GeoIndexTest, KnowsDistances) {
  EXPECT_NEAR(DistanceKm(0, 0, 0, 1), 111.19, 0.01);
  EXPECT_NEAR(DistanceKm(37.7749, -122.4194, 34.0522, -118.2437), 559.1, 1);  // to Los Angeles
  EXPECT_EQ(DistanceKm(38, -122, 38, -122), 0);
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
