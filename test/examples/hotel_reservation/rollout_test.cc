// SPDX-License-Identifier: Apache-2.0
// Proves that two rollouts of the whole application serve the same names side by side under load:
// no request crosses from one to the other, and traffic moves from blue to green by the frontend
// alone, without a request that fails.

#include <grpcpp/grpcpp.h>
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "examples/hotel_reservation/hotels.grpc.pb.h"
#include "examples/hotel_reservation/launcher/cluster.h"
#include "examples/hotel_reservation/load_generator/services_usage.h"
#include "examples/hotel_reservation/services/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/support/temporary_directory.h"

namespace hotel_reservation {
namespace {

constexpr int kCallers = 4;
constexpr int kBackendCalls = 2;  // of a recommendation

// Eight services, and a client of their frontend.
class Rollout {
 public:
  Rollout(const std::string& name, const std::string& directory) {
    // Credentials are made of it, here and in the services.
    setenv("GRPC_CXL_ROLLOUT", name.c_str(), /*overwrite=*/1);
    std::filesystem::create_directory(directory);
    auto cluster = Cluster::Start({.transport = "cxl",
                                   .programs = "examples/hotel_reservation",
                                   .directory = directory,
                                   .database = "",
                                   .http = "127.0.0.1:0"});
    EXPECT_TRUE(cluster.ok()) << cluster.status();
    if (!cluster.ok()) return;
    cluster_ = *std::move(cluster);
    frontend_ = Frontend::NewStub(MakeChannel(cluster_->addresses(), "frontend"));
    usage_.emplace(cluster_->addresses());
  }

  bool running() const { return cluster_ != nullptr; }

  // A request; counts what fails.
  void Recommend() {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    RecommendRequest request;
    request.set_measure(PRICE);
    RecommendReply reply;
    const grpc::Status status = frontend_->Recommend(&context, request, &reply);
    ++requests_;
    if (!status.ok() || reply.hotels().empty()) ++failed_;
  }

  int requests() const { return requests_; }
  int failed() const { return failed_; }
  void StartCounting() {
    requests_ = 0;
    usage_->Start();
  }
  // Of the services behind the frontend.
  int64_t Calls() {
    const auto difference = usage_->SinceStart();
    return difference.has_value() ? difference->backend_calls : -1;
  }

 private:
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Frontend::Stub> frontend_;
  std::optional<ServicesUsage> usage_;
  std::atomic<int> requests_{0}, failed_{0};
};

// Each caller makes so many requests to what is the frontend then, and notes what it was.
using Last = std::atomic<const Rollout*>[kCallers];
void Load(const std::atomic<Rollout*>& frontend, int requests, Last& last) {
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&, i] {
      for (int n = 0; n < requests; ++n) {
        Rollout* const now = frontend;
        now->Recommend();
        last[i] = now;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST(HotelRolloutTest, FromBlueToGreenByTheFrontendAlone) {
  const grpc_cxl::internal::TemporaryDirectory directory("/tmp");
  setenv("GRPC_CXL_DIR", directory.path().c_str(), /*overwrite=*/1);
  auto blue = std::make_unique<Rollout>("blue", directory.path() + "/blue");
  Rollout green("green", directory.path() + "/green");
  ASSERT_TRUE(blue->running() && green.running());

  // Side by side.
  blue->StartCounting();
  green.StartCounting();
  std::atomic<Rollout*> to_blue{blue.get()}, to_green{&green};
  Last of_blue{}, of_green{};
  std::thread beside([&] { Load(to_green, 100, of_green); });
  Load(to_blue, 100, of_blue);
  beside.join();
  EXPECT_EQ(blue->Calls(), kBackendCalls * blue->requests());
  EXPECT_EQ(green.Calls(), kBackendCalls * green.requests());

  // The frontend changes under load, then blue ends under load.
  blue->StartCounting();
  green.StartCounting();
  std::atomic<Rollout*> frontend{blue.get()};
  Last last{};
  std::thread load([&] { Load(frontend, 300, last); });
  while (blue->requests() < 100) std::this_thread::yield();
  frontend = &green;
  for (const auto& of_caller : last) {
    while (of_caller != &green) std::this_thread::yield();
  }
  EXPECT_EQ(blue->Calls(), kBackendCalls * blue->requests());
  EXPECT_EQ(blue->failed(), 0);
  blue.reset();
  load.join();
  EXPECT_EQ(green.Calls(), kBackendCalls * green.requests());
  EXPECT_EQ(green.failed(), 0);
}

}  // namespace
}  // namespace hotel_reservation
