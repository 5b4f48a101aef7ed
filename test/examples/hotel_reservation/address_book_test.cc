// Proves that one flag chooses all addresses, and that a wrong one is answered with a
// sentence that says what is possible.

#include "examples/hotel_reservation/services/address_book.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <iterator>
#include <set>
#include <string>

#include "bench/harness/temporary_directory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hotel_reservation {
namespace {

using testing::HasSubstr;

std::string Address(const std::string& transport, const std::string& base,
                    const std::string& service) {
  const absl::StatusOr<AddressBook> book = AddressBook::Make(transport, base);
  EXPECT_TRUE(book.ok()) << book.status();
  return book->AddressOf(service);
}

std::string Complaint(const std::string& transport, const std::string& base) {
  const absl::StatusOr<AddressBook> book = AddressBook::Make(transport, base);
  EXPECT_EQ(book.status().code(), absl::StatusCode::kInvalidArgument) << base;
  return std::string(book.status().message());
}

TEST(AddressBookTest, KnowsThreeTransports) {
  const auto folder = grpc_cxl::bench::TemporaryDirectory::Create();
  EXPECT_EQ(Address("tcp", "", "frontend"), "127.0.0.1:7100");
  EXPECT_EQ(Address("tcp", "2000", "user"), "127.0.0.1:2007");
  EXPECT_EQ(Address("unix", folder->path(), "geo"), "unix:" + folder->path() + "/geo");
  EXPECT_EQ(Address("cxl", "", "geo"), "cxl:///hotel-geo");
  EXPECT_EQ(Address("cxl", "my_town", "rate"), "cxl:///my_town-rate");
}

TEST(AddressBookTest, GivesEveryServiceAnAddressOfItsOwn) {
  for (const absl::string_view transport : kTransports) {
    const absl::StatusOr<AddressBook> book =
        AddressBook::Make(transport, transport == "unix" ? "/tmp" : "");
    ASSERT_TRUE(book.ok()) << book.status();
    std::set<std::string> addresses;
    for (const absl::string_view service : kServices) addresses.insert(book->AddressOf(service));
    EXPECT_EQ(addresses.size(), std::size(kServices));
  }
}

TEST(AddressBookTest, MakesTheDefaultFolderForOurselvesAlone) {
  const auto parent = grpc_cxl::bench::TemporaryDirectory::Create();
  setenv("TMPDIR", parent->path().c_str(), /*overwrite=*/1);
  const absl::StatusOr<AddressBook> book = AddressBook::Make("unix", "");
  ASSERT_TRUE(book.ok()) << book.status();
  struct stat folder;
  ASSERT_EQ(stat(book->base().c_str(), &folder), 0);
  EXPECT_EQ(folder.st_mode & 0777, 0700u);
  EXPECT_TRUE(AddressBook::Make("unix", "").ok());  // also when it is there
}

TEST(AddressBookTest, SaysWhatIsWrong) {
  EXPECT_EQ(Complaint("pigeon", ""), "There is no --transport=pigeon; there are tcp, unix, cxl.");
  for (const char* port : {"x", "0", "-1", "65529", "70000"}) {
    EXPECT_THAT(Complaint("tcp", port), HasSubstr("is no port from 1 to 65528"));
  }
  EXPECT_THAT(Complaint("unix", "/no/such/folder"), HasSubstr("is no folder"));
  EXPECT_THAT(Complaint("cxl", "a/b"), HasSubstr("letters, digits"));
  EXPECT_THAT(Complaint("cxl", std::string(41, 'a')), HasSubstr("at most 40"));
}

}  // namespace
}  // namespace hotel_reservation
