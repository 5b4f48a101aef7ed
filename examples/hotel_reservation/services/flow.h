// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_FLOW_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_FLOW_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace hotel_reservation {

// An error of the data rooms as the status of a call.
inline grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

// A call to another service that a flow makes: room for all it needs.
template <typename Request, typename Reply>
struct OutgoingCall {
  std::unique_ptr<grpc::ClientContext> context;
  Request request;
  Reply reply;
};

// A handler that asks other services, one after the other, and holds no thread while it
// waits. A subclass makes its first call when it starts:
//
//   call.context = NewContext();
//   stub->async()->Method(call.context.get(), &call.request, &call.reply,
//                         Then("geo", [this] { NextStep(); }));
//
// The last step calls Finish(); the flow deletes itself afterwards.
class Flow : public grpc::ServerUnaryReactor {
 protected:
  explicit Flow(grpc::CallbackServerContext* context) : context_(context) {}

  // A context for a call that ends when this one does.
  std::unique_ptr<grpc::ClientContext> NewContext() {
    auto context = grpc::ClientContext::FromCallbackServerContext(*context_);
    context->set_deadline(context_->deadline());  // direct calls do not inherit it
    return context;
  }

  // Goes on with `next` when the call to `service` went well, else ends the flow with its
  // status; one that did not answer is named in it.
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
        Finish(status);  // a sentence for whoever asked
      }
    };
  }

 private:
  void OnDone() override { delete this; }

  grpc::CallbackServerContext* const context_;
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_FLOW_H_
