#include "bench/roles/relay_service.h"

#include <utility>

namespace grpc_cxl::bench {
namespace {

// One call that is passed on.
struct Passed {
  grpc::ClientContext context;
  Letter letter;
};

}  // namespace

RelayService::RelayService(std::shared_ptr<grpc::Channel> next)
    : next_(next == nullptr ? nullptr : Relay::NewStub(std::move(next))) {}

grpc::ServerUnaryReactor* RelayService::Forward(grpc::CallbackServerContext* context,
                                                const Letter* request, Letter* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  if (request->services() <= 1) {
    response->set_data(request->data());
    reactor->Finish(grpc::Status::OK);
  } else if (next_ == nullptr) {
    reactor->Finish(grpc::Status(grpc::StatusCode::OUT_OF_RANGE, "the chain is not that long"));
  } else {
    auto passed = std::make_shared<Passed>();
    passed->context.set_deadline(context->deadline());
    passed->letter = *request;
    passed->letter.set_services(request->services() - 1);
    Passed* const on = passed.get();
    next_->async()->Forward(&on->context, &on->letter, response,
                            [reactor, passed = std::move(passed)](const grpc::Status& status) {
                              reactor->Finish(status);
                            });
  }
  return reactor;
}

}  // namespace grpc_cxl::bench
