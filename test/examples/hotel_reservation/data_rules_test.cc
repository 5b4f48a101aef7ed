// SPDX-License-Identifier: Apache-2.0
// Proves the rules on the data that services_test does not meet: a data set that several
// processes fill, which hotels are near, what counts as a stay, and who may read the default
// folder.

#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "examples/hotel_reservation/data/data_set.h"
#include "examples/hotel_reservation/data/geo_index.h"
#include "examples/hotel_reservation/data/stay.h"
#include "examples/hotel_reservation/services/address_book.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/support/temporary_directory.h"

namespace hotel_reservation {
namespace {

using grpc_cxl::internal::TemporaryDirectory;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

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
  absl::StatusOr<Database> database = OpenDataSet("");
  ASSERT_TRUE(database.ok()) << database.status();
  const std::vector<Hotel> hotels = *ReadHotels(*database);
  const GeoIndex index(hotels);
  const auto nearby = [&](const Hotel& hotel, double kilometres_north) {
    return index.Nearby(hotel.latitude + kilometres_north / 111.2, hotel.longitude);
  };
  // Around hotel 40, its neighbours on both sides.
  EXPECT_THAT(nearby(hotels[39], 0), UnorderedElementsAre("38", "39", "40", "41", "42"));
  EXPECT_THAT(nearby(hotels[79], 9), Contains("80"));  // the northmost hotel
  EXPECT_THAT(nearby(hotels[79], 11), IsEmpty());
}

TEST(StayTest, CountsNightsAndRefusesWhatIsNone) {
  const absl::StatusOr<Nights> nights = ParseStay("2015-04-09", "2015-04-11");
  ASSERT_TRUE(nights.ok()) << nights.status();
  EXPECT_EQ(nights->first, 16534);  // days since 1970-01-01
  EXPECT_EQ(nights->count(), 2);
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

TEST(AddressBookTest, MakesTheDefaultFolderForOurselvesAlone) {
  const TemporaryDirectory parent("/tmp");
  setenv("TMPDIR", parent.path().c_str(), /*overwrite=*/1);
  for (int i = 0; i < 2; ++i) {  // also when the folder is there
    const absl::StatusOr<AddressBook> book = AddressBook::Make("unix", "");
    ASSERT_TRUE(book.ok()) << book.status();
    struct stat folder;
    ASSERT_EQ(stat(book->base().c_str(), &folder), 0);
    EXPECT_EQ(folder.st_mode & 0777, 0700u);
  }
}

TEST(AddressBookTest, ServicesThatHaveHostsListenOnAllInterfaces) {
  for (const std::string transport : {"tcp", "auto"}) {
    const absl::StatusOr<AddressBook> here = AddressBook::Make(transport, "");
    ASSERT_TRUE(here.ok()) << here.status();
    EXPECT_EQ(here->AddressOf("geo"), "127.0.0.1:7102");
    EXPECT_EQ(here->ListeningAddressOf("geo"), "127.0.0.1:7102");
    const absl::StatusOr<AddressBook> pods = AddressBook::Make(transport, "hotel-:7000");
    ASSERT_TRUE(pods.ok()) << pods.status();
    EXPECT_EQ(pods->AddressOf("geo"), "dns:///hotel-geo:7002");
    EXPECT_EQ(pods->ListeningAddressOf("geo"), "0.0.0.0:7002");
    for (const std::string base : {"hotel-", "hotel-:", "hotel-:0", "a/b:7000", ":", "70000"}) {
      EXPECT_FALSE(AddressBook::Make(transport, base).ok()) << base;
    }
  }
}

}  // namespace
}  // namespace hotel_reservation
