// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_SERVICES_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_SERVICES_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "examples/hotel_reservation/services/address_book.h"

namespace grpc {
class Service;
}

namespace hotel_reservation {

// Counts the calls that a process has begun to serve. Relaxed, because no other data depends on it.
class CallCounter {
 public:
  void Add() { calls_.fetch_add(1, std::memory_order_relaxed); }
  int64_t Get() const { return calls_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> calls_{0};
};

// The parameters of a service.
struct Environment {
  AddressBook addresses;  // of the services that it calls
  std::string database;   // the data set's file; empty: a temporary file (see OpenDataSet)
  CallCounter* calls;     // of calls that it serves; outlives it
};

using ServiceOr = absl::StatusOr<std::shared_ptr<grpc::Service>>;

// Each reads its part of the data set into memory.
ServiceOr MakeFrontend(const Environment& environment);
ServiceOr MakeSearch(const Environment& environment);
ServiceOr MakeGeo(const Environment& environment);
ServiceOr MakeRate(const Environment& environment);
ServiceOr MakeProfile(const Environment& environment);
ServiceOr MakeRecommendation(const Environment& environment);
ServiceOr MakeReservation(const Environment& environment);
ServiceOr MakeUser(const Environment& environment);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_SERVICES_H_
