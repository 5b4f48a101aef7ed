// SPDX-License-Identifier: Apache-2.0
// Proves which names and targets are taken, that every other one is refused with a
// sentence that quotes it and says why, and that two names never share a file.
#include "grpc_cxl/rendezvous/service_name.h"

#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(ServiceNameTest, TakesLettersDigitsAndThreeSigns) {
  for (const std::string name : {"payments", "shop/payments", "a", "A.b_c-9", "...", ".hidden",
                                 "a/b/c/d", "-x", "a..b", "0"}) {
    auto parsed = ServiceName::Parse(name);
    ASSERT_THAT(parsed, IsOk()) << name;
    EXPECT_EQ(parsed->str(), name);
  }
}

TEST(ServiceNameTest, RefusesEverythingElseAndSaysWhy) {
  const struct {
    std::string name;
    std::string quoted;
    std::string why;
  } kCases[] = {
      {"", "\"\"", "is empty"},
      {"/payments", "\"/payments\"", "empty part"},
      {"payments/", "\"payments/\"", "empty part"},
      {"shop//payments", "\"shop//payments\"", "empty part"},
      {"/", "\"/\"", "empty part"},
      {".", "\".\"", "part \".\""},
      {"..", "\"..\"", "part \"..\""},
      {"../payments", "\"../payments\"", "part \"..\""},
      {"shop/./payments", "\"shop/./payments\"", "part \".\""},
      {"pay ments", "\"pay ments\"", "character \" \""},
      {"pay%20ments", "\"pay%20ments\"", "character \"%\""},
      {"pay+ments", "\"pay+ments\"", "character \"+\""},
      {"payments?x=1", "\"payments?x=1\"", "character \"?\""},
      {"pay\nments", "\"pay\\nments\"", "character \"\\n\""},
      {std::string("pay\0ments", 9), "\"pay\\x00ments\"", "character \"\\x00\""},
      {"zahlungen-\xc3\xbc", "\"zahlungen-\\xc3\\xbc\"", "character \"\\xc3\""},
  };
  for (const auto& c : kCases) {
    EXPECT_THAT(ServiceName::Parse(c.name), StatusIs(absl::StatusCode::kInvalidArgument,
                                                     AllOf(HasSubstr(c.quoted), HasSubstr(c.why))));
  }
}

TEST(ServiceNameTest, TakesEightyCharactersAndNotOneMore) {
  EXPECT_THAT(ServiceName::Parse(std::string(80, 'a')), IsOk());
  EXPECT_THAT(ServiceName::Parse(std::string(81, 'a')),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("81 characters"), HasSubstr("at most 80"))));
  // The text stays readable, however long the name.
  EXPECT_LT(ServiceName::Parse(std::string(1 << 20, 'a')).status().message().size(), 400u);
}

TEST(ServiceNameTest, ReadsTargetsAndRefusesOthers) {
  for (const std::string target :
       {"cxl:///shop/payments", "cxl:/shop/payments", "cxl:shop/payments", "CXL:///shop/payments",
        "Cxl:shop/payments", "cxl:///shop/payments?x=y", "cxl:///shop/payments#f",
        "cxl:///shop/payments?x=/y#f", "cxl:///shop/payments?"}) {
    EXPECT_TRUE(ServiceName::IsTarget(target));
    auto parsed = ServiceName::FromTarget(target);
    ASSERT_THAT(parsed, IsOk()) << target;
    EXPECT_EQ(parsed->str(), "shop/payments");
  }
  const struct {
    std::string target;
    std::string why;
  } kRefused[] = {
      {"cxl://node3/payments", "names a host"},
      {"cxl://payments", "names a host"},
      {"unix:///payments", "does not begin with \"cxl:\""},
      {"payments", "does not begin with \"cxl:\""},
      {"", "does not begin with \"cxl:\""},
      {"cxl:", "is empty"},
      {"cxl:///", "is empty"},
      {"cxl://", "is empty"},
      {"cxl:///?x=y", "is empty"},
      {"cxl:////payments", "empty part"},
  };
  for (const auto& c : kRefused) {
    EXPECT_THAT(ServiceName::FromTarget(c.target),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.why)))
        << c.target;
  }
}

// All names of up to five characters out of three that could be confused.
TEST(ServiceNameTest, DifferentNamesHaveDifferentFiles) {
  EXPECT_EQ(ServiceName::Parse("shop/payments")->FileStem(), "shop+payments");
  std::set<std::string> names = {""}, stems;
  for (int length = 1; length <= 5; ++length) {
    for (const std::string& shorter : std::set<std::string>(names)) {
      for (const char c : {'a', '.', '/'}) names.insert(shorter + c);
    }
  }
  std::erase_if(names, [](auto& name) { return !ServiceName::Parse(name).ok(); });
  for (const std::string& name : names) {
    stems.insert(ServiceName::Parse(name)->FileStem());
    EXPECT_EQ(ServiceName::Parse(name)->FileStem().find('/'), std::string::npos);
  }
  EXPECT_GT(names.size(), 50u);
  EXPECT_EQ(stems.size(), names.size());
}

}  // namespace
}  // namespace grpc_cxl::internal
