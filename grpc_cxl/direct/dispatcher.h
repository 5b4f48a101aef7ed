// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_DISPATCHER_H_
#define GRPC_CXL_DIRECT_DISPATCHER_H_

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/server.h>

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "grpc_cxl/direct/server_link_user.h"

namespace grpc_cxl::internal {

// Runs direct calls on a server through its in-process channel: interceptors, deadlines,
// cancellation, size limits and registered services see an ordinary call. Requests and responses
// pass as bytes. Thread-safe.
class Dispatcher final : public CallHandler {
 public:
  // `authority` is the host of calls that name none. Calls with more than `max_metadata_bytes` end
  // RESOURCE_EXHAUSTED.
  Dispatcher(grpc::Server& server, std::string authority, size_t max_metadata_bytes);

  // DATA_LOSS when the request or its metadata is malformed.
  absl::Status OnCall(std::shared_ptr<ServerLinkUser> connection, ServerCalls::CallId call,
                      std::string request) override;

 private:
  const std::string authority_;
  const size_t max_metadata_bytes_;
  grpc::GenericStub stub_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_DISPATCHER_H_
