// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_E2E_TRANSPORT_H_
#define GRPC_CXL_TEST_E2E_TRANSPORT_H_

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>

#include <memory>
#include <ostream>
#include <string>

#include "grpc_cxl/options.h"

namespace grpc_cxl::e2e {

// What carries the bytes between a channel and its server. The suites are written for any
// of them and run on each: whatever a caller can observe must be the same.
enum class TransportKind {
  kTcp,
  kUnix,
  kCxl,        // HTTP/2 through shared memory
  kCxlDirect,  // unary calls without HTTP/2, where they are eligible
};

inline constexpr TransportKind kTestedTransports[] = {
    TransportKind::kTcp, TransportKind::kUnix, TransportKind::kCxl, TransportKind::kCxlDirect};

// For suites that take long: to gRPC, unix differs from tcp in its addresses only.
inline constexpr TransportKind kMostTransports[] = {TransportKind::kTcp, TransportKind::kCxl,
                                                    TransportKind::kCxlDirect};

// "tcp", "unix", "cxl", "cxl_direct"; also how GoogleTest names the parameter.
std::string Name(TransportKind kind);
inline std::ostream& operator<<(std::ostream& out, TransportKind kind) { return out << Name(kind); }

inline bool IsCxl(TransportKind kind) {
  return kind == TransportKind::kCxl || kind == TransportKind::kCxlDirect;
}

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
  virtual ~Transport() = default;

  virtual std::string place() const = 0;

  // The target of channels and the argument of AddListeningPort. Stays the same, and stays
  // reserved, whether or not somebody listens.
  virtual std::string address() const = 0;

  // `inner`: null for no security.
  virtual std::shared_ptr<grpc::ChannelCredentials> ChannelCredentials(
      std::shared_ptr<grpc::ChannelCredentials> inner = nullptr) const = 0;
  virtual std::shared_ptr<grpc::ServerCredentials> ServerCredentials(
      std::shared_ptr<grpc::ServerCredentials> inner = nullptr) const = 0;

  // To be called with a server that listens here, once it runs.
  virtual void Started(grpc::Server&) const {}
};

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_TRANSPORT_H_
