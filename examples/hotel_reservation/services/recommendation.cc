// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/data/recommender.h"
#include "examples/hotel_reservation/hotels.grpc.pb.h"
#include "examples/hotel_reservation/services/flow.h"
#include "examples/hotel_reservation/services/services.h"

namespace hotel_reservation {
namespace {

class RecommendationService : public Recommendation::CallbackService {
 public:
  RecommendationService(std::vector<Hotel> hotels, CallCounter* calls)
      : recommender_(std::move(hotels)), calls_(*calls) {}

 private:
  grpc::ServerUnaryReactor* GetRecommendations(grpc::CallbackServerContext* context,
                                               const RecommendationsRequest* request,
                                               RecommendationsReply* reply) override {
    calls_.Add();
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const absl::StatusOr<std::vector<std::string>> ids = Choose(*request);
    if (ids.ok()) reply->mutable_hotel_ids()->Assign(ids->begin(), ids->end());
    reactor->Finish(ToGrpc(ids.status()));
    return reactor;
  }

  absl::StatusOr<std::vector<std::string>> Choose(const RecommendationsRequest& request) const {
    switch (request.measure()) {
      case DISTANCE:
        return recommender_.Nearest(request.location().latitude(), request.location().longitude());
      case RATE:
        return recommender_.BestRated();
      case PRICE:
        return recommender_.Cheapest();
      default:
        return absl::InvalidArgumentError(
            "The measure is missing: set it to distance, rate or price.");
    }
  }

  const Recommender recommender_;
  CallCounter& calls_;
};

}  // namespace

ServiceOr MakeRecommendation(const Environment& environment) {
  absl::StatusOr<Database> database = OpenDataSet(environment.database);
  if (!database.ok()) return database.status();
  absl::StatusOr<std::vector<Hotel>> hotels = ReadHotels(*database);
  if (!hotels.ok()) return hotels.status();
  return std::make_shared<RecommendationService>(*std::move(hotels), environment.calls);
}

}  // namespace hotel_reservation
