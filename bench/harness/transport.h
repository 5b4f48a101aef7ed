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

// All that differs between transports: an address, credentials, and how one waits.
//
//   transport   address                 wait
//   tcp         127.0.0.1:PORT          kernel
//   unix        unix:DIRECTORY/socket   kernel
//   inproc      the server is in the client's process; no path at all
//   cxl         cxl:///SERVICE          adaptive, park or spin; or whatever GRPC_CXL_SPIN_US
//                                       says when it is set: spin_us=N
//   cxl_direct  cxl:///SERVICE          the same, unary calls without HTTP/2

// The waits to measure for `transport`: of `wanted`, those that it knows. INVALID_ARGUMENT
// names an unknown transport or wait, or a wait that GRPC_CXL_SPIN_US would override.
absl::StatusOr<std::vector<std::string>> Waits(absl::string_view transport,
                                               const std::vector<std::string>& wanted);

// `transport` must have passed Waits(). The port of a tcp address is 0 until a server has
// chosen one.
Path MakePath(absl::string_view service, absl::string_view transport, absl::string_view wait,
              absl::string_view directory);

std::shared_ptr<grpc::ServerCredentials> ServerCredentials(const Path& path);

// What else a server on this path is given.
void Configure(const Path& path, grpc::ServerBuilder& builder);

// To be called once the server runs.
absl::Status Started(const Path& path, grpc::Server& server);

// A channel with connections of its own, without limits on message sizes.
std::shared_ptr<grpc::Channel> MakeChannel(const Path& path);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_HARNESS_TRANSPORT_H_
