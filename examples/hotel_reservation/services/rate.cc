// SPDX-License-Identifier: Apache-2.0
#include <unordered_map>

#include "examples/hotel_reservation/data/data_set.h"
#include "examples/hotel_reservation/data/stay.h"
#include "examples/hotel_reservation/hotels.grpc.pb.h"
#include "examples/hotel_reservation/services/flow.h"
#include "examples/hotel_reservation/services/services.h"

namespace hotel_reservation {
namespace {

class RateService : public Rate::CallbackService {
 public:
  RateService(const std::vector<RatePlanRow>& rows, CallCounter* calls) : calls_(*calls) {
    for (const RatePlanRow& row : rows) {
      RatePlan plan;
      plan.set_hotel_id(row.hotel_id);
      plan.set_code(row.code);
      plan.set_room_type(row.room_type);
      plan.set_room_description(row.room_description);
      plan.set_nightly_rate(row.nightly_rate);
      plan.set_currency("USD");
      plans_.emplace(row.hotel_id, std::move(plan));
    }
  }

 private:
  grpc::ServerUnaryReactor* GetRates(grpc::CallbackServerContext* context,
                                     const RatesRequest* request, RatesReply* reply) override {
    calls_.Add();
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(ToGrpc(Fill(*request, *reply)));
    return reactor;
  }

  absl::Status Fill(const RatesRequest& request, RatesReply& reply) const {
    const absl::StatusOr<Nights> nights =
        ParseStay(request.stay().check_in(), request.stay().check_out());
    if (!nights.ok()) return nights.status();
    for (const std::string& id : request.hotel_ids()) {
      const auto [begin, end] = plans_.equal_range(id);
      for (auto plan = begin; plan != end; ++plan) {
        RatePlan& added = *reply.add_plans();
        added = plan->second;
        added.set_total_rate(added.nightly_rate() * nights->count());
      }
    }
    return absl::OkStatus();
  }

  std::unordered_multimap<std::string, RatePlan> plans_;  // by hotel; constant
  CallCounter& calls_;
};

}  // namespace

ServiceOr MakeRate(const Environment& environment) {
  absl::StatusOr<Database> database = OpenDataSet(environment.database);
  if (!database.ok()) return database.status();
  const absl::StatusOr<std::vector<RatePlanRow>> plans = ReadRatePlans(*database);
  if (!plans.ok()) return plans.status();
  return std::make_shared<RateService>(*plans, environment.calls);
}

}  // namespace hotel_reservation
