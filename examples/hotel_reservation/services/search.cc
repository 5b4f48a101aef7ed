// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/hotels.grpc.pb.h"
#include "examples/hotel_reservation/services/flow.h"
#include "examples/hotel_reservation/services/services.h"
#include "examples/hotel_reservation/services/transport.h"

namespace hotel_reservation {
namespace {

// Geo, then Rate.
class SearchFlow : public Flow {
 public:
  SearchFlow(grpc::CallbackServerContext* context, const SearchRequest* request, SearchReply* reply,
             Geo::Stub* geo, Rate::Stub* rate)
      : Flow(context), request_(*request), reply_(*reply), rate_(*rate) {
    *nearby_.request.mutable_location() = request_.location();
    nearby_.context = NewContext();
    geo->async()->Nearby(nearby_.context.get(), &nearby_.request, &nearby_.reply,
                         Then("geo", [this] { GetRates(); }));
  }

 private:
  // Also without hotels, so that every search makes the same calls.
  void GetRates() {
    rates_.request.mutable_hotel_ids()->Swap(nearby_.reply.mutable_hotel_ids());
    *rates_.request.mutable_stay() = request_.stay();
    rates_.context = NewContext();
    rate_.async()->GetRates(rates_.context.get(), &rates_.request, &rates_.reply,
                            Then("rate", [this] { Reply(); }));
  }

  void Reply() {
    for (const RatePlan& plan : rates_.reply.plans()) {
      Offer& offer = *reply_.add_offers();
      offer.set_hotel_id(plan.hotel_id());
      offer.set_total_rate(plan.total_rate());
      offer.set_currency(plan.currency());
    }
    Finish(grpc::Status::OK);
  }

  const SearchRequest& request_;
  SearchReply& reply_;
  Rate::Stub& rate_;
  OutgoingCall<GeoRequest, GeoReply> nearby_;
  OutgoingCall<RatesRequest, RatesReply> rates_;
};

class SearchService : public Search::CallbackService {
 public:
  explicit SearchService(const Environment& environment)
      : geo_(Geo::NewStub(MakeChannel(environment.addresses, "geo"))),
        rate_(Rate::NewStub(MakeChannel(environment.addresses, "rate"))),
        calls_(*environment.calls) {}

 private:
  grpc::ServerUnaryReactor* Nearby(grpc::CallbackServerContext* context,
                                   const SearchRequest* request, SearchReply* reply) override {
    calls_.Add();
    return new SearchFlow(context, request, reply, geo_.get(), rate_.get());
  }

  const std::unique_ptr<Geo::Stub> geo_;
  const std::unique_ptr<Rate::Stub> rate_;
  CallCounter& calls_;
};

}  // namespace

ServiceOr MakeSearch(const Environment& environment) {
  return std::make_shared<SearchService>(environment);
}

}  // namespace hotel_reservation
