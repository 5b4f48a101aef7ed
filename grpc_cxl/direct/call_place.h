// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_CALL_PLACE_H_
#define GRPC_CXL_DIRECT_CALL_PLACE_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "grpc_cxl/calls/call_capacity.h"
#include "grpc_cxl/priority_level.h"

namespace grpc_cxl::internal {

// The place of a running call in its server's capacity. gRPC ends a call at its deadline or
// cancellation, and the handler goes on: so the call holds its place, and, where the server has
// place_holders.h, the handler's context does too. gRPC has no public way from one to the other
// but the call's metadata. Thread-safe.
class CallPlace {
 public:
  // The metadata of calls that have one. What clients send under it is dropped.
  static constexpr char kKey[] = "cxl-place-bin";

  // Of a call for which Enter() was true.
  static std::shared_ptr<CallPlace> Make(std::shared_ptr<CallCapacity> capacity, Priority priority);
  // Null: there is none.
  static std::shared_ptr<CallPlace> Find(absl::string_view name);
  // Whether there is one, of whatever server.
  static bool Any();

  // Release(). Who drops a place calls BeginWaiting() of its capacity() at a time of its choice.
  ~CallPlace();
  const std::shared_ptr<CallCapacity>& capacity() const { return capacity_; }

  // Eight bytes that nobody guesses.
  const std::string& name() const { return name_; }

 private:
  CallPlace(std::shared_ptr<CallCapacity> capacity, Priority priority, std::string name)
      : capacity_(std::move(capacity)), priority_(priority), name_(std::move(name)) {}

  const std::shared_ptr<CallCapacity> capacity_;
  const Priority priority_;
  const std::string name_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_CALL_PLACE_H_
