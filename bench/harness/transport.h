// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_HARNESS_TRANSPORT_H_
#define GRPC_CXL_BENCH_HARNESS_TRANSPORT_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bench/harness/control.pb.h"

namespace grpc_cxl::bench {

// The differences between transports: address, credentials, and how both ends wait.
//
//   transport   address                 wait
//   tcp         127.0.0.1:PORT          kernel
//   network     127.0.0.1:PORT          kernel; grpc_cxl's credentials at the client alone, so that
//                                       nothing is local: what they cost then
//   unix        unix:DIRECTORY/socket   kernel
//   inproc      none: the server is in  gRPC
//               the client's process
//   cxl         cxl:///SERVICE          adaptive, park, spin, or spin=N, always for N us;
//                                       with GRPC_CXL_SPIN_US: spin_us=N
//   cxl_direct  cxl:///SERVICE          as cxl; unary calls without HTTP/2
//   cxl_own     cxl:///SERVICE: the     as cxl; unary calls without HTTP/2 and without the arena,
//               server is in the        on the caller's thread (ChannelOptions::inline_calls)
//               client's process

// The waits to measure for `transport`: `wanted` for cxl, else the only one. INVALID_ARGUMENT for
// an unknown transport or wait, and when GRPC_CXL_SPIN_US would make several waits the same.
absl::StatusOr<std::vector<std::string>> Waits(absl::string_view transport,
                                               const std::vector<std::string>& wanted);

// `transport` must have passed Waits(). The port of a tcp address is 0 until a server listens.
Path MakePath(absl::string_view service, absl::string_view transport, absl::string_view wait,
              absl::string_view directory);

// Whether the address is one of TCP.
bool IsTcp(const Path& path);

// Whether the server is in the client's process; the server process has only the same address then.
bool IsOneProcess(const Path& path);

std::shared_ptr<grpc::ServerCredentials> ServerCredentials(const Path& path);

// Configures a server on this path, beyond its credentials.
void Configure(const Path& path, grpc::ServerBuilder& builder);

// To be called right after BuildAndStart().
absl::Status Started(const Path& path, grpc::Server& server);

// A channel that shares no connection with others, without limits on message sizes.
std::shared_ptr<grpc::Channel> MakeChannel(const Path& path);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_HARNESS_TRANSPORT_H_
