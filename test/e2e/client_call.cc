#include "test/e2e/client_call.h"

#include "absl/crc/crc32c.h"
#include "absl/log/log.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace grpc_cxl::e2e {
namespace {

std::string Brief(const std::string& bytes) {
  if (bytes.size() <= 200) return absl::StrCat("\"", absl::CEscape(bytes), "\"");
  return absl::StrCat(bytes.size(), " bytes, CRC-32C ",
                      absl::Hex(static_cast<uint32_t>(absl::ComputeCrc32c(bytes))));
}

std::multimap<std::string, std::string> Copy(
    const std::multimap<grpc::string_ref, grpc::string_ref>& metadata) {
  std::multimap<std::string, std::string> copy;
  for (const auto& [key, value] : metadata) {
    copy.emplace(std::string(key.data(), key.size()), std::string(value.data(), value.size()));
  }
  return copy;
}

}  // namespace

std::string Name(RpcKind kind) {
  switch (kind) {
    case RpcKind::kUnary:
      return "unary";
    case RpcKind::kClientStream:
      return "client_stream";
    case RpcKind::kServerStream:
      return "server_stream";
    case RpcKind::kBidi:
      return "bidi";
  }
  return "unknown";
}

std::string Name(ClientApi api) {
  switch (api) {
    case ClientApi::kSync:
      return "sync";
    case ClientApi::kCallback:
      return "callback";
    case ClientApi::kCompletionQueue:
      return "queue";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& out, RpcKind kind) { return out << Name(kind); }
std::ostream& operator<<(std::ostream& out, ClientApi api) { return out << Name(api); }

std::string Describe(const Outcome& outcome) {
  std::string text = absl::StrCat("code ", outcome.status.error_code(), "\nmessage ",
                                  Brief(outcome.status.error_message()), "\ndetails ",
                                  Brief(outcome.status.error_details()), "\n");
  for (const auto& [key, value] : outcome.initial_metadata) {
    absl::StrAppend(&text, "initial ", key, ": ", Brief(value), "\n");
  }
  for (const EchoResponse& response : outcome.responses) {
    absl::StrAppend(&text, "response after ", response.requests(), " requests with CRC-32C ",
                    absl::Hex(response.checksum()), ": ", Brief(response.payload()), "\n");
    if (response.has_view()) absl::StrAppend(&text, response.view().DebugString());
  }
  for (const auto& [key, value] : outcome.trailing_metadata) {
    absl::StrAppend(&text, "trailing ", key, ": ", Brief(value), "\n");
  }
  return text;
}

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << Describe(outcome);
}

Outcome Perform(Echo::Stub* stub, const ClientCall& call) {
  switch (call.api) {
    case ClientApi::kSync:
      return PerformSync(stub, call);
    case ClientApi::kCallback:
      return PerformCallback(stub, call);
    case ClientApi::kCompletionQueue:
      return PerformCompletionQueue(stub, call);
  }
  LOG(FATAL) << "no such API";
}

Outcome Conclude(const grpc::ClientContext& context, const grpc::Status& status) {
  Outcome outcome;
  outcome.status = status;
  outcome.initial_metadata = Copy(context.GetServerInitialMetadata());
  outcome.trailing_metadata = Copy(context.GetServerTrailingMetadata());
  return outcome;
}

}  // namespace grpc_cxl::e2e
