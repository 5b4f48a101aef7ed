// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/hotels.grpc.pb.h"
#include "examples/hotel_reservation/services/flow.h"
#include "examples/hotel_reservation/services/services.h"
#include "examples/hotel_reservation/services/transport.h"

namespace hotel_reservation {
namespace {

constexpr char kLocale[] = "en";

struct Stubs {
  explicit Stubs(const AddressBook& addresses)
      : search(Search::NewStub(MakeChannel(addresses, "search"))),
        profile(Profile::NewStub(MakeChannel(addresses, "profile"))),
        recommendation(Recommendation::NewStub(MakeChannel(addresses, "recommendation"))),
        reservation(Reservation::NewStub(MakeChannel(addresses, "reservation"))),
        user(User::NewStub(MakeChannel(addresses, "user"))) {}

  const std::unique_ptr<Search::Stub> search;
  const std::unique_ptr<Profile::Stub> profile;
  const std::unique_ptr<Recommendation::Stub> recommendation;
  const std::unique_ptr<Reservation::Stub> reservation;
  const std::unique_ptr<User::Stub> user;
};

// Search, then availability, then profiles; also without hotels, so that every search makes the
// same calls.
class SearchHotelsFlow : public Flow {
 public:
  SearchHotelsFlow(grpc::CallbackServerContext* context, const SearchHotelsRequest* request,
                   SearchHotelsReply* reply, const Stubs& stubs)
      : Flow(context), request_(*request), reply_(*reply), stubs_(stubs) {
    *search_.request.mutable_location() = request_.location();
    *search_.request.mutable_stay() = request_.stay();
    search_.context = NewContext();
    stubs_.search->async()->Nearby(search_.context.get(), &search_.request, &search_.reply,
                                   Then("search", [this] { CheckAvailability(); }));
  }

 private:
  void CheckAvailability() {
    for (const Offer& offer : search_.reply.offers()) {
      available_.request.add_hotel_ids(offer.hotel_id());
    }
    *available_.request.mutable_stay() = request_.stay();
    available_.request.set_rooms(1);
    available_.context = NewContext();
    stubs_.reservation->async()->CheckAvailability(available_.context.get(), &available_.request,
                                                   &available_.reply,
                                                   Then("reservation", [this] { GetProfiles(); }));
  }

  void GetProfiles() {
    profiles_.request.mutable_hotel_ids()->Swap(available_.reply.mutable_hotel_ids());
    profiles_.request.set_locale(kLocale);
    profiles_.context = NewContext();
    stubs_.profile->async()->GetProfiles(profiles_.context.get(), &profiles_.request,
                                         &profiles_.reply, Then("profile", [this] { Reply(); }));
  }

  void Reply() {
    for (HotelProfile& profile : *profiles_.reply.mutable_hotels()) {
      FoundHotel& found = *reply_.add_hotels();
      for (const Offer& offer : search_.reply.offers()) {
        if (offer.hotel_id() != profile.id()) continue;
        found.set_total_rate(offer.total_rate());
        found.set_currency(offer.currency());
      }
      *found.mutable_profile() = std::move(profile);
    }
    Finish(grpc::Status::OK);
  }

  const SearchHotelsRequest& request_;
  SearchHotelsReply& reply_;
  const Stubs& stubs_;
  OutgoingCall<SearchRequest, SearchReply> search_;
  OutgoingCall<AvailabilityRequest, AvailabilityReply> available_;
  OutgoingCall<ProfilesRequest, ProfilesReply> profiles_;
};

// Recommendations, then their profiles.
class RecommendFlow : public Flow {
 public:
  RecommendFlow(grpc::CallbackServerContext* context, const RecommendRequest* request,
                RecommendReply* reply, const Stubs& stubs)
      : Flow(context), reply_(*reply), stubs_(stubs) {
    best_.request.set_measure(request->measure());
    *best_.request.mutable_location() = request->location();
    best_.context = NewContext();
    stubs_.recommendation->async()->GetRecommendations(
        best_.context.get(), &best_.request, &best_.reply,
        Then("recommendation", [this] { GetProfiles(); }));
  }

 private:
  void GetProfiles() {
    profiles_.request.mutable_hotel_ids()->Swap(best_.reply.mutable_hotel_ids());
    profiles_.request.set_locale(kLocale);
    profiles_.context = NewContext();
    stubs_.profile->async()->GetProfiles(
        profiles_.context.get(), &profiles_.request, &profiles_.reply, Then("profile", [this] {
          reply_.mutable_hotels()->Swap(profiles_.reply.mutable_hotels());
          Finish(grpc::Status::OK);
        }));
  }

  RecommendReply& reply_;
  const Stubs& stubs_;
  OutgoingCall<RecommendationsRequest, RecommendationsReply> best_;
  OutgoingCall<ProfilesRequest, ProfilesReply> profiles_;
};

// The user alone.
class LogInFlow : public Flow {
 public:
  LogInFlow(grpc::CallbackServerContext* context, const LogInRequest* request, LogInReply* reply,
            const Stubs& stubs)
      : Flow(context) {
    check_.request.set_user_name(request->user_name());
    check_.request.set_password(request->password());
    check_.context = NewContext();
    stubs.user->async()->CheckUser(check_.context.get(), &check_.request, &check_.reply,
                                   Then("user", [this, reply] {
                                     reply->set_correct(check_.reply.correct());
                                     Finish(grpc::Status::OK);
                                   }));
  }

 private:
  OutgoingCall<CheckUserRequest, CheckUserReply> check_;
};

// The user, then the reservation.
class ReserveFlow : public Flow {
 public:
  ReserveFlow(grpc::CallbackServerContext* context, const ReserveRequest* request,
              ReserveReply* reply, const Stubs& stubs)
      : Flow(context), request_(*request), reply_(*reply), stubs_(stubs) {
    check_.request.set_user_name(request_.user_name());
    check_.request.set_password(request_.password());
    check_.context = NewContext();
    stubs_.user->async()->CheckUser(check_.context.get(), &check_.request, &check_.reply,
                                    Then("user", [this] { Book(); }));
  }

 private:
  void Book() {
    if (!check_.reply.correct()) {
      Finish(grpc::Status(grpc::StatusCode::UNAUTHENTICATED,
                          "User name or password is wrong: check both and try again."));
      return;
    }
    book_.request.set_customer_name(request_.customer_name());
    book_.request.set_hotel_id(request_.hotel_id());
    *book_.request.mutable_stay() = request_.stay();
    book_.request.set_rooms(request_.rooms());
    book_.context = NewContext();
    stubs_.reservation->async()->MakeReservation(
        book_.context.get(), &book_.request, &book_.reply, Then("reservation", [this] {
          reply_.set_reservation_id(book_.reply.reservation_id());
          Finish(grpc::Status::OK);
        }));
  }

  const ReserveRequest& request_;
  ReserveReply& reply_;
  const Stubs& stubs_;
  OutgoingCall<CheckUserRequest, CheckUserReply> check_;
  OutgoingCall<MakeReservationRequest, MakeReservationReply> book_;
};

class FrontendService : public Frontend::CallbackService {
 public:
  explicit FrontendService(const Environment& environment)
      : stubs_(environment.addresses), calls_(*environment.calls) {}

 private:
  template <typename SomeFlow, typename Request, typename Reply>
  grpc::ServerUnaryReactor* Start(grpc::CallbackServerContext* context, const Request* request,
                                  Reply* reply) {
    calls_.Add();
    return new SomeFlow(context, request, reply, stubs_);
  }

  grpc::ServerUnaryReactor* SearchHotels(grpc::CallbackServerContext* context,
                                         const SearchHotelsRequest* request,
                                         SearchHotelsReply* reply) override {
    return Start<SearchHotelsFlow>(context, request, reply);
  }
  grpc::ServerUnaryReactor* Recommend(grpc::CallbackServerContext* context,
                                      const RecommendRequest* request,
                                      RecommendReply* reply) override {
    return Start<RecommendFlow>(context, request, reply);
  }
  grpc::ServerUnaryReactor* LogIn(grpc::CallbackServerContext* context, const LogInRequest* request,
                                  LogInReply* reply) override {
    return Start<LogInFlow>(context, request, reply);
  }
  grpc::ServerUnaryReactor* Reserve(grpc::CallbackServerContext* context,
                                    const ReserveRequest* request, ReserveReply* reply) override {
    return Start<ReserveFlow>(context, request, reply);
  }

  const Stubs stubs_;
  CallCounter& calls_;
};

}  // namespace

ServiceOr MakeFrontend(const Environment& environment) {
  return std::make_shared<FrontendService>(environment);
}

}  // namespace hotel_reservation
