// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_HARNESS_MESSAGE_SOCKET_H_
#define GRPC_CXL_BENCH_HARNESS_MESSAGE_SOCKET_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message_lite.h"

namespace grpc_cxl::bench {

// Protobuf messages over a SOCK_SEQPACKET socket, each one packet, which must not be empty.

absl::Status SendMessage(int socket, const google::protobuf::MessageLite& message);

// Waits for the next message; false when the other end is closed.
absl::StatusOr<bool> ReceiveMessage(int socket, google::protobuf::MessageLite& message);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_HARNESS_MESSAGE_SOCKET_H_
