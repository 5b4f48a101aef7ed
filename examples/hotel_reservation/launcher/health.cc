// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/launcher/health.h"

#include <grpcpp/grpcpp.h>

#include "absl/time/clock.h"
#include "examples/hotel_reservation/health.grpc.pb.h"
#include "examples/hotel_reservation/services/transport.h"

namespace hotel_reservation {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

struct HealthProbe::Impl {
  std::unique_ptr<Health::Stub> stub;
};

HealthProbe::HealthProbe(const AddressBook& addresses, absl::string_view service)
    : impl_(std::make_unique<Impl>(Impl{Health::NewStub(MakeChannel(addresses, service))})) {}

HealthProbe::~HealthProbe() = default;

bool HealthProbe::Serving(absl::Duration timeout) {
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  HealthCheckResponse response;
  return impl_->stub->Check(&context, HealthCheckRequest(), &response).ok() &&
         response.status() == HealthCheckResponse::SERVING;
}

}  // namespace hotel_reservation
