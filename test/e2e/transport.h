// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_E2E_TRANSPORT_H_
#define GRPC_CXL_TEST_E2E_TRANSPORT_H_

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>

#include <memory>
#include <ostream>
#include <string>
#include <utility>

#include "grpc_cxl/options.h"

namespace grpc_cxl::e2e {

// What carries the bytes between a channel and its server. The suites are written for any
// of them and run on each: whatever a caller can observe must be the same.
enum class TransportKind {
  kTcp,
  kUnix,
  kCxl,        // HTTP/2 through shared memory
  kCxlDirect,  // unary calls without HTTP/2, where they are eligible
  kCxlInline,  // those of waiting callers on their own threads; for servers of this process
};

inline constexpr TransportKind kTestedTransports[] = {
    TransportKind::kTcp, TransportKind::kUnix, TransportKind::kCxl, TransportKind::kCxlDirect};
// For suites that take long: to gRPC, unix differs from tcp in its addresses only.
inline constexpr TransportKind kMostTransports[] = {TransportKind::kTcp, TransportKind::kCxl,
                                                    TransportKind::kCxlDirect};

// "tcp", "unix", "cxl", "cxl_direct", "cxl_inline"; also how GoogleTest names the parameter.
std::string Name(TransportKind kind);
inline std::ostream& operator<<(std::ostream& out, TransportKind kind) { return out << Name(kind); }

inline bool IsDirect(TransportKind kind) {
  return kind == TransportKind::kCxlDirect || kind == TransportKind::kCxlInline;
}
inline bool IsCxl(TransportKind kind) { return kind == TransportKind::kCxl || IsDirect(kind); }

inline ServerOptions WithSizes(size_t ring_bytes,
                               size_t payload_bytes = ServerOptions().payload_bytes) {
  ServerOptions options;
  options.ring_bytes = ring_bytes;
  options.payload_bytes = payload_bytes;
  return options;
}

// Where one service lives, and the credentials to reach it. Thread-safe.
class Transport {
 public:
  // At a place of its own: two objects never share one. `options` are for servers on cxl.
  static std::unique_ptr<Transport> Make(TransportKind kind, const ServerOptions& options = {});
  // At the place() of another object, maybe of another process, which must stay.
  static std::unique_ptr<Transport> Join(TransportKind kind, const std::string& place,
                                         const ServerOptions& options = {});

  // The address, or the rendezvous directory on cxl.
  const std::string& place() const { return place_; }
  // The target of channels and the argument of AddListeningPort. Stays the same, and stays
  // reserved, with or without a server.
  std::string address() const { return IsCxl(kind_) ? "cxl:///e2e/echo" : place_; }

  // `inner`: null for no security.
  std::shared_ptr<grpc::ChannelCredentials> ChannelCredentials(
      std::shared_ptr<grpc::ChannelCredentials> inner = nullptr) const;
  std::shared_ptr<grpc::ServerCredentials> ServerCredentials(
      std::shared_ptr<grpc::ServerCredentials> inner = nullptr) const;

  // To be called with a server that listens here, once it runs.
  void Started(grpc::Server& server) const;

 private:
  Transport(TransportKind kind, std::string place, const ServerOptions& options,
            std::shared_ptr<void> keeper = nullptr)
      : kind_(kind), place_(std::move(place)), options_(options), keeper_(std::move(keeper)) {
    options_.rendezvous_directory = place_;
  }

  const TransportKind kind_;
  const std::string place_;
  ServerOptions options_;
  const std::shared_ptr<void> keeper_;  // what reserves the place
};

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_TRANSPORT_H_
