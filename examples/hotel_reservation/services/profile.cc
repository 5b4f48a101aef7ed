// SPDX-License-Identifier: Apache-2.0
#include "absl/container/flat_hash_map.h"
#include "examples/hotel_reservation/data/data_set.h"
#include "examples/hotel_reservation/hotels.grpc.pb.h"
#include "examples/hotel_reservation/services/services.h"

namespace hotel_reservation {
namespace {

HotelProfile ToProfile(const Hotel& hotel) {
  HotelProfile profile;
  profile.set_id(hotel.id);
  profile.set_name(hotel.name);
  profile.set_phone_number(hotel.phone_number);
  profile.set_description(hotel.description);
  Address& address = *profile.mutable_address();
  address.set_street_number(hotel.street_number);
  address.set_street_name(hotel.street_name);
  address.set_city(hotel.city);
  address.set_state(hotel.state);
  address.set_country(hotel.country);
  address.set_postal_code(hotel.postal_code);
  profile.mutable_location()->set_latitude(hotel.latitude);
  profile.mutable_location()->set_longitude(hotel.longitude);
  return profile;
}

class ProfileService : public Profile::CallbackService {
 public:
  ProfileService(const std::vector<Hotel>& hotels, CallCounter* calls) : calls_(*calls) {
    for (const Hotel& hotel : hotels) profiles_.emplace(hotel.id, ToProfile(hotel));
  }

 private:
  grpc::ServerUnaryReactor* GetProfiles(grpc::CallbackServerContext* context,
                                        const ProfilesRequest* request,
                                        ProfilesReply* reply) override {
    calls_.Add();
    for (const std::string& id : request->hotel_ids()) {
      const auto found = profiles_.find(id);
      if (found != profiles_.end()) *reply->add_hotels() = found->second;
    }
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  absl::flat_hash_map<std::string, HotelProfile> profiles_;  // by id; constant
  CallCounter& calls_;
};

}  // namespace

ServiceOr MakeProfile(const Environment& environment) {
  absl::StatusOr<Database> database = OpenDataSet(environment.database);
  if (!database.ok()) return database.status();
  const absl::StatusOr<std::vector<Hotel>> hotels = ReadHotels(*database);
  if (!hotels.ok()) return hotels.status();
  return std::make_shared<ProfileService>(*hotels, environment.calls);
}

}  // namespace hotel_reservation
