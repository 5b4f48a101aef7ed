// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/load_generator/services_usage.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <iterator>
#include <set>
#include <vector>

#include "absl/log/log.h"
#include "examples/hotel_reservation/hotels.grpc.pb.h"
#include "examples/hotel_reservation/services/transport.h"

namespace hotel_reservation {

struct ServicesUsage::Impl {
  std::vector<std::unique_ptr<Usage::Stub>> stubs;  // in the order of kServices
  std::vector<UsageReply> start;                    // empty when a service did not answer

  std::vector<UsageReply> Read() {
    std::vector<UsageReply> replies;
    for (size_t i = 0; i < stubs.size(); ++i) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
      context.set_wait_for_ready(true);  // the first call of a channel
      const grpc::Status status = stubs[i]->Read(&context, {}, &replies.emplace_back());
      if (!status.ok()) {
        LOG(WARNING) << kServices[i] << " does not tell its usage: " << status.error_message();
        return {};
      }
    }
    return replies;
  }
};

ServicesUsage::ServicesUsage(const AddressBook& addresses) : impl_(std::make_unique<Impl>()) {
  for (const absl::string_view service : kServices) {
    impl_->stubs.push_back(Usage::NewStub(MakeChannel(addresses, service)));
  }
}

ServicesUsage::~ServicesUsage() = default;

void ServicesUsage::Start() { impl_->start = impl_->Read(); }

std::optional<ServicesUsage::Difference> ServicesUsage::SinceStart() {
  if (impl_->start.empty()) return std::nullopt;
  const std::vector<UsageReply> end = impl_->Read();
  if (end.empty()) return std::nullopt;
  Difference difference;
  std::set<int64_t> counted;
  for (size_t i = 0; i < std::size(kServices); ++i) {
    if (end[i].pid() != impl_->start[i].pid()) return std::nullopt;
    // Services that share a process tell the same.
    if (counted.insert(end[i].pid()).second) {
      difference.cpu_ns += end[i].cpu_ns() - impl_->start[i].cpu_ns();
    }
    const bool backend = kServices[i] != "frontend";
    if (backend) difference.backend_calls += end[i].calls() - impl_->start[i].calls();
  }
  return difference;
}

}  // namespace hotel_reservation
