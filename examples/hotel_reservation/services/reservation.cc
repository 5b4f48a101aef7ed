// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/data/reservation_book.h"
#include "examples/hotel_reservation/data/stay.h"
#include "examples/hotel_reservation/hotels.grpc.pb.h"
#include "examples/hotel_reservation/services/flow.h"
#include "examples/hotel_reservation/services/services.h"
#include "examples/hotel_reservation/services/worker.h"

namespace hotel_reservation {
namespace {

class ReservationService : public Reservation::CallbackService {
 public:
  ReservationService(std::unique_ptr<ReservationBook> book, CallCounter* calls)
      : book_(std::move(book)), calls_(*calls) {}

 private:
  grpc::ServerUnaryReactor* MakeReservation(grpc::CallbackServerContext* context,
                                            const MakeReservationRequest* request,
                                            MakeReservationReply* reply) override {
    calls_.Add();
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    // Request and reply live until Finish().
    writer_.Run(
        [this, request, reply, reactor] { reactor->Finish(ToGrpc(Reserve(*request, *reply))); });
    return reactor;
  }

  absl::Status Reserve(const MakeReservationRequest& request, MakeReservationReply& reply) {
    const absl::StatusOr<Nights> nights =
        ParseStay(request.stay().check_in(), request.stay().check_out());
    if (!nights.ok()) return nights.status();
    const absl::StatusOr<int64_t> id =
        book_->Reserve(request.customer_name(), request.hotel_id(), *nights, request.rooms());
    if (id.ok()) reply.set_reservation_id(*id);
    return id.status();
  }

  grpc::ServerUnaryReactor* CheckAvailability(grpc::CallbackServerContext* context,
                                              const AvailabilityRequest* request,
                                              AvailabilityReply* reply) override {
    calls_.Add();
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const absl::StatusOr<Nights> nights =
        ParseStay(request->stay().check_in(), request->stay().check_out());
    if (nights.ok()) {
      for (const std::string& id : request->hotel_ids()) {
        if (book_->HasRooms(id, *nights, request->rooms())) reply->add_hotel_ids(id);
      }
    }
    reactor->Finish(ToGrpc(nights.status()));
    return reactor;
  }

  const std::unique_ptr<ReservationBook> book_;
  CallCounter& calls_;
  Worker writer_;  // last: its tasks use the book
};

}  // namespace

ServiceOr MakeReservation(const Environment& environment) {
  absl::StatusOr<std::unique_ptr<ReservationBook>> book =
      ReservationBook::Open(environment.database);
  if (!book.ok()) return book.status();
  return std::make_shared<ReservationService>(*std::move(book), environment.calls);
}

}  // namespace hotel_reservation
