// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LOAD_GENERATOR_REQUEST_MIX_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LOAD_GENERATOR_REQUEST_MIX_H_

#include <cstdint>
#include <random>
#include <variant>

#include "examples/hotel_reservation/hotels.pb.h"

namespace hotel_reservation {

// In the order of kKinds.
using FrontendRequest =
    std::variant<SearchHotelsRequest, RecommendRequest, LogInRequest, ReserveRequest>;

inline constexpr const char* kKinds[] = {"search", "recommend", "log_in", "reserve"};

// An endless sequence of requests, determined by the seed: 60 % searches, 39 % recommendations,
// 0.5 % log-ins with the right password and 0.5 % reservations of one room, near the hotels and on
// days of April 2015. Used by one thread.
class RequestMix {
 public:
  explicit RequestMix(uint64_t seed) : random_(seed) {}

  FrontendRequest Next();

 private:
  // A number from 0 to `limit` - 1.
  int Pick(int limit) { return static_cast<int>(random_() % limit); }
  double Between(double low, double high);
  Location Place();
  int User();

  std::mt19937_64 random_;
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LOAD_GENERATOR_REQUEST_MIX_H_
