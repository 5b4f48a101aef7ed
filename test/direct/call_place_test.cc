// SPDX-License-Identifier: Apache-2.0

// The place of a call is free when all that hold it have dropped it, and those who drop it say when
// the next call begins: after the answer.

#include "grpc_cxl/direct/call_place.h"

#include <memory>

#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

struct OneWaits final : CallCapacity::Connection {
  Begun BeginNext(Priority) override {
    ++begun;
    return {.one = true};
  }
  int begun = 0;
};

TEST(CallPlaceTest, IsFreeWhenNobodyHoldsItAndBeginsNothingByItself) {
  const auto capacity = std::make_shared<CallCapacity>();
  capacity->Set(2);
  ASSERT_TRUE(capacity->Enter(Priority::kBulk));
  std::shared_ptr<CallPlace> call = CallPlace::Make(capacity, Priority::kBulk);
  ASSERT_TRUE(capacity->Enter());
  const auto client = std::make_shared<OneWaits>();
  capacity->Wait(client, Priority::kBulk);

  std::shared_ptr<CallPlace> handler = CallPlace::Find(call->name());
  EXPECT_EQ(handler, call);
  const std::string name = call->name();
  call = nullptr;
  EXPECT_EQ(capacity->running(), 2u) << "the handler goes on";
  capacity->BeginWaiting();
  EXPECT_EQ(client->begun, 0);
  handler = nullptr;
  EXPECT_EQ(capacity->running(), 1u);
  EXPECT_EQ(CallPlace::Find(name), nullptr);
  EXPECT_EQ(client->begun, 0) << "before the answer";
  capacity->BeginWaiting();
  EXPECT_EQ(client->begun, 1);
}

}  // namespace
}  // namespace grpc_cxl::internal
