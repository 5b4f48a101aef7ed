// SPDX-License-Identifier: Apache-2.0

// The check R12 of docs/protocol.md: an answer of a region's server whose terms are nonsense, one
// at a time, is a status; the same answer without nonsense is a connection.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>

#include "absl/status/status_matchers.h"
#include "grpc_cxl/region/region_node.h"
#include "test/event_engine/test_server.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

constexpr size_t kArenaBytes = 64 << 10;

class RegionAttemptTest : public EngineTest {
 protected:
  RegionAttemptTest() {
    EXPECT_THAT(FormatRegion(path_, {.hosts = 2, .bytes = 2 << 20}), IsOk());
    setenv("GRPC_CXL_REGION", path_.c_str(), 1);
    setenv("GRPC_CXL_HOST", "1", 1);
    server_ = *RegionNode::Join({.path = path_, .host = 0});
    listener_ = *server_->Listen("payments", [this](const RegionRequest& request) {
      offer_ = server_->Accept(request, kArenaBytes, terms_);
    });
  }
  ~RegionAttemptTest() override { server_->StopListening(listener_); }

  absl::Status ConnectOn(const AnswerRecord& terms) {
    terms_ = terms;
    return Connect().status();
  }

  const std::string path_ = directory_.path() + "/region";
  AnswerRecord terms_;  // set while no request is made
  std::shared_ptr<RegionNode> server_;
  absl::StatusOr<RegionOffer> offer_;
  uint64_t listener_;
};

TEST_F(RegionAttemptTest, R12TermsThatMakeNoSense) {
  const AnswerRecord good{.ring_bytes = 4096, .payload_bytes = 0, .coherence = 1};
  EXPECT_THAT(ConnectOn(good), IsOk());
  const auto expect_error = [&](const char* text, auto change) {
    AnswerRecord terms = good;
    change(terms);
    const absl::Status status = ConnectOn(terms);
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(status.message(), HasSubstr(text));
  };
  expect_error("coherence 2", [](auto& terms) { terms.coherence = 2; });
  expect_error("ring of 5000", [](auto& terms) { terms.ring_bytes = 5000; });
  expect_error("payload area of 100", [](auto& terms) { terms.payload_bytes = 100; });
  expect_error("an arena of", [](auto& terms) { terms.ring_bytes = kArenaBytes; });
}

}  // namespace
}  // namespace grpc_cxl::internal
