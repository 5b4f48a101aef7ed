// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_FLOW_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_FLOW_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/client_context.h"

namespace hotel_reservation {

// Converts an error of data/ to the status of a call.
inline grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

// A call of a flow to another service.
template <typename Request, typename Reply>
struct OutgoingCall {
  std::unique_ptr<grpc::ClientContext> context;
  Request request;
  Reply reply;
};

// A handler that calls other services, one after the other, without blocking a thread. The
// constructor of a subclass makes the first call:
//
//   call.context = NewContext();
//   stub->async()->Method(call.context.get(), &call.request, &call.reply,
//                         Then("geo", [this] { NextStep(); }));
//
// The last step calls Finish(). The flow then deletes itself.
class Flow : public grpc::ServerUnaryReactor {
 protected:
  explicit Flow(grpc::CallbackServerContext* context) : context_(context) {}

  // A context for a call that is cancelled with this one, and has its priority, number and trace.
  std::unique_ptr<grpc::ClientContext> NewContext() {
    auto context = grpc::ClientContext::FromCallbackServerContext(*context_);
    context->set_deadline(context_->deadline());  // direct calls do not inherit it
    grpc_cxl::PassOn(*context_, context.get());
    return context;
  }

  // Runs `next` when the call to `service` succeeded, else ends the flow with its status, which
  // names the service if that did not answer.
  template <typename Next>
  auto Then(absl::string_view service, Next next) {
    return [this, service, next = std::move(next)](const grpc::Status& status) {
      if (status.ok()) {
        next();
      } else if (status.error_code() == grpc::UNAVAILABLE ||
                 status.error_code() == grpc::DEADLINE_EXCEEDED) {
        Finish(
            grpc::Status(status.error_code(), absl::StrCat(service, ": ", status.error_message())));
      } else {
        Finish(status);
      }
    };
  }

 private:
  void OnDone() override { delete this; }

  grpc::CallbackServerContext* const context_;
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_FLOW_H_
