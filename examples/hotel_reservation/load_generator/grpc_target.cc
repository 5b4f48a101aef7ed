// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "examples/hotel_reservation/hotels.grpc.pb.h"
#include "examples/hotel_reservation/load_generator/target.h"
#include "examples/hotel_reservation/services/transport.h"
#include "grpc_cxl/priority.h"

namespace hotel_reservation {
namespace {

using grpc_cxl::Priority;

// The method of the frontend that takes a request.
void Call(Frontend::Stub& stub, grpc::ClientContext* context, const SearchHotelsRequest* request,
          SearchHotelsReply* reply, std::function<void(grpc::Status)> done) {
  stub.async()->SearchHotels(context, request, reply, std::move(done));
}
void Call(Frontend::Stub& stub, grpc::ClientContext* context, const RecommendRequest* request,
          RecommendReply* reply, std::function<void(grpc::Status)> done) {
  stub.async()->Recommend(context, request, reply, std::move(done));
}
void Call(Frontend::Stub& stub, grpc::ClientContext* context, const LogInRequest* request,
          LogInReply* reply, std::function<void(grpc::Status)> done) {
  stub.async()->LogIn(context, request, reply, std::move(done));
}
void Call(Frontend::Stub& stub, grpc::ClientContext* context, const ReserveRequest* request,
          ReserveReply* reply, std::function<void(grpc::Status)> done) {
  stub.async()->Reserve(context, request, reply, std::move(done));
}

template <typename Request>
struct ReplyTo;
template <>
struct ReplyTo<SearchHotelsRequest> : std::type_identity<SearchHotelsReply> {};
template <>
struct ReplyTo<RecommendRequest> : std::type_identity<RecommendReply> {};
template <>
struct ReplyTo<LogInRequest> : std::type_identity<LogInReply> {};
template <>
struct ReplyTo<ReserveRequest> : std::type_identity<ReserveReply> {};

// A request in flight; deletes itself at the end.
template <typename Request>
struct InFlight {
  InFlight(const Request& request, Target::Done done) : request(request), done(std::move(done)) {}

  void Start(Frontend::Stub& stub, absl::Duration deadline, Priority priority) {
    context.set_deadline(absl::ToChronoTime(absl::Now() + deadline));
    if (priority != Priority::kDefault) grpc_cxl::SetPriority(&context, priority);
    Call(stub, &context, &request, &reply, [this](const grpc::Status& status) {
      done(
          absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message()));
      delete this;
    });
  }

  grpc::ClientContext context;
  const Request request;
  typename ReplyTo<Request>::type reply;
  Target::Done done;
};

class GrpcTargetImpl : public Target {
 public:
  GrpcTargetImpl(const AddressBook& addresses, int connections, absl::Duration deadline,
                 Priority priority)
      : deadline_(deadline), priority_(priority) {
    for (int i = 0; i < connections; ++i) {
      stubs_.push_back(Frontend::NewStub(MakeChannel(addresses, "frontend", priority)));
    }
  }

  void Send(const FrontendRequest& request, Done done) override {
    Frontend::Stub& stub = *stubs_[next_++ % stubs_.size()];
    std::visit(
        [&](const auto& message) {
          using Request = std::decay_t<decltype(message)>;
          (new InFlight<Request>(message, std::move(done)))->Start(stub, deadline_, priority_);
        },
        request);
  }

 private:
  const absl::Duration deadline_;
  const Priority priority_;
  std::vector<std::unique_ptr<Frontend::Stub>> stubs_;
  size_t next_ = 0;
};

}  // namespace

std::unique_ptr<Target> GrpcTarget(const AddressBook& addresses, int connections,
                                   absl::Duration deadline, Priority priority) {
  return std::make_unique<GrpcTargetImpl>(addresses, connections, deadline, priority);
}

}  // namespace hotel_reservation
