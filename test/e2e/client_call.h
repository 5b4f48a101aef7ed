// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_E2E_CLIENT_CALL_H_
#define GRPC_CXL_TEST_E2E_CLIENT_CALL_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "test/e2e/echo.grpc.pb.h"

namespace grpc_cxl::e2e {

enum class RpcKind { kUnary, kClientStream, kServerStream, kBidi };
inline constexpr RpcKind kAllRpcKinds[] = {RpcKind::kUnary, RpcKind::kClientStream,
                                           RpcKind::kServerStream, RpcKind::kBidi};

enum class ClientApi { kSync, kCallback, kCompletionQueue };
inline constexpr ClientApi kAllClientApis[] = {ClientApi::kSync, ClientApi::kCallback,
                                               ClientApi::kCompletionQueue};

std::string Name(RpcKind kind);
std::string Name(ClientApi api);
inline std::ostream& operator<<(std::ostream& out, RpcKind kind) { return out << Name(kind); }
inline std::ostream& operator<<(std::ostream& out, ClientApi api) { return out << Name(api); }

// Whether a call of this kind has more than one request, or response.
inline bool ManyRequests(RpcKind kind) {
  return kind == RpcKind::kClientStream || kind == RpcKind::kBidi;
}
inline bool ManyResponses(RpcKind kind) {
  return kind == RpcKind::kServerStream || kind == RpcKind::kBidi;
}

// One call to be made.
struct ClientCall {
  RpcKind kind = RpcKind::kUnary;
  ClientApi api = ClientApi::kSync;
  // At least one; only the first where the kind takes one. Bidi sends the next after the
  // response to the last.
  std::vector<EchoRequest> requests = {EchoRequest()};
  // Sets deadline, metadata and so on before the call starts. The context lives until
  // Perform() returns, so another thread may use it to cancel.
  std::function<void(grpc::ClientContext*)> prepare = nullptr;
  // Called when the call is over and its context still there.
  std::function<void()> conclude = nullptr;
};

// For ClientCall::prepare.
std::function<void(grpc::ClientContext*)> WithDeadline(absl::Duration from_now);
// Waits for a server, within reason.
std::function<void(grpc::ClientContext*)> Patiently(absl::Duration patience = absl::Minutes(1));

// A unary call with these bytes; one whose handler waits at the gate.
ClientCall CallOfSize(size_t bytes);
ClientCall CallThatWaitsAtGate(RpcKind kind = RpcKind::kUnary);

// All that the caller can see of it afterwards.
struct Outcome {
  grpc::Status status;
  std::vector<EchoResponse> responses;
  std::multimap<std::string, std::string> initial_metadata;
  std::multimap<std::string, std::string> trailing_metadata;
};

// The call's results as text, long payloads by size and checksum. Equal on all transports.
std::string Describe(const Outcome& outcome);
std::ostream& operator<<(std::ostream& out, const Outcome& outcome);

// Makes the call and waits for its end. Thread-safe.
Outcome Perform(Echo::Stub* stub, const ClientCall& call);

// Part of Perform(): the call in the callback API.
grpc::Status PerformCallback(Echo::Stub* stub, const ClientCall& call, grpc::ClientContext* context,
                             std::vector<EchoResponse>* responses);

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_CLIENT_CALL_H_
