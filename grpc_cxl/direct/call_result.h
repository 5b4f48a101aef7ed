#ifndef GRPC_CXL_DIRECT_CALL_RESULT_H_
#define GRPC_CXL_DIRECT_CALL_RESULT_H_

#include <grpcpp/support/client_interceptor.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <string>

#include "grpc_cxl/direct/call_codec.h"
#include "grpc_cxl/direct/client_calls.h"

namespace grpc_cxl {

// What the application gets to see of a direct call's end: status, metadata, message. Must
// live as long as the call's context, which is given views of it. Not thread-safe.
class CallResult {
 public:
  // Everything but kNotRun. A message of more than `max_receive_bytes` (-1: no limit)
  // becomes RESOURCE_EXHAUSTED.
  void Set(CallOutcome outcome, int64_t max_receive_bytes);
  void Set(grpc::Status status) { status_ = std::move(status); }

  // Puts it all where the batch of a hijacked call wants it.
  void Deliver(grpc::experimental::InterceptorBatchMethods* methods);

 private:
  void Decode(bool cut_off, int64_t max_receive_bytes);

  grpc::Status status_;
  std::string bytes_;
  ResponseView response_;  // points into bytes_
  bool has_message_ = false;
};

}  // namespace grpc_cxl

#endif  // GRPC_CXL_DIRECT_CALL_RESULT_H_
