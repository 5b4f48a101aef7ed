// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/data/geo_index.h"
#include "examples/hotel_reservation/hotels.grpc.pb.h"
#include "examples/hotel_reservation/services/services.h"

namespace hotel_reservation {
namespace {

class GeoService : public Geo::CallbackService {
 public:
  GeoService(const std::vector<Hotel>& hotels, CallCounter* calls)
      : index_(hotels), calls_(*calls) {}

 private:
  grpc::ServerUnaryReactor* Nearby(grpc::CallbackServerContext* context, const GeoRequest* request,
                                   GeoReply* reply) override {
    calls_.Add();
    for (std::string& id :
         index_.Nearby(request->location().latitude(), request->location().longitude())) {
      reply->add_hotel_ids(std::move(id));
    }
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  const GeoIndex index_;
  CallCounter& calls_;
};

}  // namespace

ServiceOr MakeGeo(const Environment& environment) {
  absl::StatusOr<Database> database = OpenDataSet(environment.database);
  if (!database.ok()) return database.status();
  const absl::StatusOr<std::vector<Hotel>> hotels = ReadHotels(*database);
  if (!hotels.ok()) return hotels.status();
  return std::make_shared<GeoService>(*hotels, environment.calls);
}

}  // namespace hotel_reservation
