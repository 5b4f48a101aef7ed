// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_TWO_HOSTS_SOAK_HOTEL_USERS_H_
#define GRPC_CXL_EXAMPLES_TWO_HOSTS_SOAK_HOTEL_USERS_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "examples/hotel_reservation/hotels.grpc.pb.h"
#include "examples/two_hosts/soak/path.h"

namespace soak {

// Users of the hotel reservation services, who ask the same questions again and again. The first
// answer to each is what all later ones must be. Thread-safe.
class HotelUsers {
 public:
  HotelUsers();

  Path::Call Search();
  Path::Call Recommend();
  Path::Call Reserve();  // nights that no search is for

  // Of the answers to all questions, the same wherever and whenever they are asked; empty while
  // one has not been answered.
  std::string AnswersDigest();

 private:
  using Answers = std::vector<std::optional<std::string>>;

  // Takes or compares an answer.
  void Check(const google::protobuf::MessageLite& reply, Answers HotelUsers::*answers, size_t which,
             const std::string& id) ABSL_LOCKS_EXCLUDED(mu_);

  const std::shared_ptr<hotel_reservation::Frontend::Stub> stub_;
  absl::Mutex mu_;
  std::vector<hotel_reservation::SearchHotelsRequest> searches_;
  std::vector<hotel_reservation::RecommendRequest> recommendations_;
  Answers found_ ABSL_GUARDED_BY(mu_), recommended_ ABSL_GUARDED_BY(mu_);
};

}  // namespace soak

#endif  // GRPC_CXL_EXAMPLES_TWO_HOSTS_SOAK_HOTEL_USERS_H_
