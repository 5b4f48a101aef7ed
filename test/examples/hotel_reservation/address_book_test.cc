// SPDX-License-Identifier: Apache-2.0
// Proves that one flag chooses all addresses, and that a wrong one is answered with a sentence
// that says what is possible.

#include "examples/hotel_reservation/services/address_book.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <iterator>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/support/temporary_directory.h"

namespace hotel_reservation {
namespace {

using grpc_cxl::internal::TemporaryDirectory;

std::string Address(const std::string& transport, const std::string& base,
                    const std::string& service) {
  const absl::StatusOr<AddressBook> book = AddressBook::Make(transport, base);
  return book.ok() ? book->AddressOf(service) : std::string(book.status().message());
}

TEST(AddressBookTest, GivesEveryServiceAnAddressOfItsOwn) {
  const TemporaryDirectory folder("/tmp");
  EXPECT_EQ(Address("tcp", "", "frontend"), "127.0.0.1:7100");
  EXPECT_EQ(Address("tcp", "2000", "user"), "127.0.0.1:2007");
  EXPECT_EQ(Address("unix", folder.path(), "geo"), "unix:" + folder.path() + "/geo");
  EXPECT_EQ(Address("cxl", "", "geo"), "cxl:///hotel-geo");
  EXPECT_EQ(Address("cxl", "my_town", "rate"), "cxl:///my_town-rate");
  for (const absl::string_view transport : kTransports) {
    const std::string base = transport == "unix" ? folder.path() : "";
    std::set<std::string> addresses;
    for (const absl::string_view service : kServices) {
      addresses.insert(Address(std::string(transport), base, std::string(service)));
    }
    EXPECT_EQ(addresses.size(), std::size(kServices));
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

TEST(AddressBookTest, SaysWhatIsWrong) {
  struct Mistake {
    std::string transport, base, text;
  };
  for (const Mistake& mistake : std::vector<Mistake>{
           {"pigeon", "", "There is no --transport=pigeon; there are tcp, unix, cxl."},
           {"tcp", "x", "is no port from 1 to 65528"},
           {"tcp", "0", "is no port from 1 to 65528"},
           {"tcp", "-1", "is no port from 1 to 65528"},
           {"tcp", "65529", "is no port from 1 to 65528"},
           {"unix", "/no/such/folder", "is no folder"},
           {"cxl", "a/b", "letters, digits"},
           {"cxl", std::string(41, 'a'), "at most 40"}}) {
    const absl::Status status = AddressBook::Make(mistake.transport, mistake.base).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << mistake.base;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(mistake.text));
  }
}

}  // namespace
}  // namespace hotel_reservation
