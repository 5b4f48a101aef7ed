// SPDX-License-Identifier: Apache-2.0
// Proves that HTTP/JSON offers what the Frontend service does, answers wrong requests with a
// sentence, and serves the load generator.

#include <httplib.h>
#include <stdlib.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "examples/hotel_reservation/launcher/cluster.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/support/temporary_directory.h"

namespace hotel_reservation {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr char kDates[] = "check_in=2015-04-09&check_out=2015-04-11";
constexpr char kForm[] = "application/x-www-form-urlencoded";

class WebTest : public testing::Test {
 protected:
  WebTest() {
    setenv("GRPC_CXL_DIR", directory_.path().c_str(), /*overwrite=*/1);
    auto cluster = Cluster::Start({.transport = "cxl",
                                   .programs = "examples/hotel_reservation",
                                   .directory = directory_.path(),
                                   .database = "",
                                   .http = "127.0.0.1:0"});
    EXPECT_TRUE(cluster.ok()) << cluster.status();
    if (!cluster.ok()) return;
    cluster_ = *std::move(cluster);
    const std::string output = cluster_->service("frontend").Output();
    const size_t begin = output.find("http://"), end = output.find("/\n", begin);
    EXPECT_NE(end, std::string::npos) << output;
    url_ = output.substr(begin, end - begin);
    client_ = std::make_unique<httplib::Client>(url_);
  }

  void SetUp() override { ASSERT_NE(client_, nullptr); }

  // "STATUS BODY".
  static std::string Text(const httplib::Result& result) {
    return result ? absl::StrCat(result->status, " ", result->body)
                  : httplib::to_string(result.error());
  }
  std::string Get(const std::string& path) { return Text(client_->Get(path)); }
  std::string Post(const std::string& path, const std::string& form) {
    return Text(client_->Post(path, form, kForm));
  }

  const grpc_cxl::internal::TemporaryDirectory directory_{"/tmp"};
  std::unique_ptr<Cluster> cluster_;
  std::string url_;
  std::unique_ptr<httplib::Client> client_;
};

TEST_F(WebTest, ServesThePageAndTheFourEndpoints) {
  EXPECT_THAT(Get("/"), AllOf(HasSubstr("200 <!doctype html>"), HasSubstr("</html>")));
  EXPECT_THAT(Get(absl::StrCat("/hotels?latitude=38.0235&longitude=-122.095&", kDates)),
              AllOf(HasSubstr("200 {\"hotels\":[{\"profile\":{\"id\":"), HasSubstr("totalRate")));
  EXPECT_THAT(Get("/recommendations?latitude=38&longitude=-122&measure=rate"),
              HasSubstr("200 {\"hotels\":[{\"id\":"));
  EXPECT_EQ(Post("/user", "user_name=guest_3&password=3333333333"), "200 {\"correct\":true}");
  EXPECT_EQ(Post("/user", "user_name=guest_3&password=33"), "200 {\"correct\":false}");
  const std::string booking =
      absl::StrCat("user_name=guest_3&password=3333333333&hotel_id=6&rooms=200&", kDates);
  EXPECT_EQ(Post("/reservation", booking), "200 {\"reservationId\":\"1\"}");
  EXPECT_THAT(Post("/reservation", booking), HasSubstr("409 {\"error\":\"Hotel 6 has 0 of"));
}

TEST_F(WebTest, AnswersWrongRequestsWithASentence) {
  EXPECT_EQ(Get("/hotels?latitude=38"), "400 {\"error\":\"The parameter longitude is missing.\"}");
  EXPECT_EQ(Get("/hotels?latitude=up&longitude=1&check_in=a&check_out=b"),
            "400 {\"error\":\"latitude=up is not a number.\"}");
  EXPECT_THAT(
      Post("/reservation", absl::StrCat("user_name=guest_3&password=x&hotel_id=1&", kDates)),
      HasSubstr("401 {\"error\":"));
  EXPECT_EQ(Get("/nothing"), "404 {\"error\":\"There is no GET /nothing.\"}");
}

TEST_F(WebTest, GivesEachRequestANumber) {
  const std::string path = "/recommendations?latitude=38&longitude=-122&measure=rate";
  const auto number = [&](const httplib::Headers& headers) {
    return client_->Get(path, headers)->get_header_value("X-Request-Id");
  };
  EXPECT_EQ(number({{"X-Request-Id", "4711"}}), "4711");
  for (const std::string none : {"two words", "", "\xc3\xa4"}) {
    EXPECT_EQ(number({{"X-Request-Id", none}}).size(), 16u);
  }
}

TEST_F(WebTest, ServesTheLoadGenerator) {
  std::vector<std::string> flags = cluster_->AddressFlags();
  for (const char* flag : {"--via=http", "--rate=100", "--seconds=0.5", "--warmup=0.1"}) {
    flags.push_back(flag);
  }
  flags.push_back(absl::StrCat("--http=", absl::StripPrefix(url_, "http://")));
  const auto load = cluster_->StartProgram("load", flags);
  ASSERT_TRUE(load.ok()) << load.status();
  ASSERT_TRUE((*load)->Ended(absl::Seconds(60)));
  EXPECT_THAT((*load)->Output(), HasSubstr("cxl via http: offered 100/s, served 100/s, 0 errors"));
}

}  // namespace
}  // namespace hotel_reservation
