// SPDX-License-Identifier: Apache-2.0
#include "bench/roles/relay_service.h"

#include <utility>

namespace grpc_cxl::bench {
namespace {

// A call to the next service.
struct NextCall {
  grpc::ClientContext context;
  Relayed request;
};

}  // namespace

RelayService::RelayService(std::shared_ptr<grpc::Channel> next)
    : next_(next == nullptr ? nullptr : Relay::NewStub(std::move(next))) {}

grpc::ServerUnaryReactor* RelayService::Forward(grpc::CallbackServerContext* context,
                                                const Relayed* request, Relayed* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  if (request->services() <= 1) {
    response->set_data(request->data());
    reactor->Finish(grpc::Status::OK);
  } else if (next_ == nullptr) {
    reactor->Finish(grpc::Status(grpc::StatusCode::OUT_OF_RANGE, "the chain is not that long"));
  } else {
    auto call = std::make_shared<NextCall>();
    call->context.set_deadline(context->deadline());
    call->request = *request;
    call->request.set_services(request->services() - 1);
    NextCall* const next = call.get();
    next_->async()->Forward(
        &next->context, &next->request, response,
        [reactor, call = std::move(call)](const grpc::Status& status) { reactor->Finish(status); });
  }
  return reactor;
}

}  // namespace grpc_cxl::bench
