// SPDX-License-Identifier: Apache-2.0
#include "test/e2e/client_call.h"

#include <grpcpp/completion_queue.h>

#include <memory>
#include <utility>

#include "absl/crc/crc32c.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "test/e2e/echo_call.h"

namespace grpc_cxl::e2e {
namespace {

using Responses = std::vector<EchoResponse>;

// The synchronous API.
struct SyncApi {
  Echo::Stub* const stub;
  grpc::ClientContext* const context;

  grpc::Status Unary(const EchoRequest& request, EchoResponse* response) {
    return stub->Unary(context, request, response);
  }
  auto ClientStream(EchoResponse* response) { return stub->ClientStream(context, response); }
  auto ServerStream(const EchoRequest& request) { return stub->ServerStream(context, request); }
  auto Bidi() { return stub->Bidi(context); }
};

// The completion-queue API: starts one operation, waits for it, starts the next.
struct QueueApi {
  Echo::Stub* const stub;
  grpc::ClientContext* const context;
  grpc::CompletionQueue queue = {};

  bool Await(absl::FunctionRef<void(void* tag)> start) {
    start(this);
    void* tag;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  }

  // What the synchronous API returns a pointer to.
  template <typename AsyncStream>
  struct Stream {
    QueueApi* api;
    std::unique_ptr<AsyncStream> stream;

    Stream* operator->() { return this; }
    bool Write(const EchoRequest& request) {
      return api->Await([&](void* tag) { stream->Write(request, tag); });
    }
    bool WritesDone() {
      return api->Await([&](void* tag) { stream->WritesDone(tag); });
    }
    bool Read(EchoResponse* response) {
      return api->Await([&](void* tag) { stream->Read(response, tag); });
    }
    grpc::Status Finish() {
      grpc::Status status;
      api->Await([&](void* tag) { stream->Finish(&status, tag); });
      return status;
    }
  };
  template <typename AsyncStream>
  Stream<AsyncStream> Start(std::unique_ptr<AsyncStream> stream) {
    Await([&](void* tag) { stream->StartCall(tag); });
    return {this, std::move(stream)};
  }

  grpc::Status Unary(const EchoRequest& request, EchoResponse* response) {
    const auto reader = stub->AsyncUnary(context, request, &queue);
    grpc::Status status;
    Await([&](void* tag) { reader->Finish(response, &status, tag); });
    return status;
  }
  auto ClientStream(EchoResponse* response) {
    return Start(stub->PrepareAsyncClientStream(context, response, &queue));
  }
  auto ServerStream(const EchoRequest& request) {
    return Start(stub->PrepareAsyncServerStream(context, request, &queue));
  }
  auto Bidi() { return Start(stub->PrepareAsyncBidi(context, &queue)); }
};

template <typename Api>
grpc::Status Run(Api api, const ClientCall& call, Responses* responses) {
  EchoResponse response;
  grpc::Status status;
  bool ok = true;
  switch (call.kind) {
    case RpcKind::kUnary:
      status = api.Unary(call.requests[0], &response);
      break;
    case RpcKind::kClientStream: {
      auto writer = api.ClientStream(&response);
      for (const EchoRequest& request : call.requests) ok = ok && writer->Write(request);
      if (ok) writer->WritesDone();
      status = writer->Finish();
      break;
    }
    case RpcKind::kServerStream: {
      auto reader = api.ServerStream(call.requests[0]);
      while (reader->Read(&response)) responses->push_back(response);
      return reader->Finish();
    }
    case RpcKind::kBidi: {
      auto stream = api.Bidi();
      for (const EchoRequest& request : call.requests) {
        ok = ok && stream->Write(request) && stream->Read(&response);
        if (ok) responses->push_back(response);
      }
      if (ok) stream->WritesDone();
      while (ok && stream->Read(&response)) responses->push_back(response);
      return stream->Finish();
    }
  }
  if (status.ok()) responses->push_back(std::move(response));
  return status;
}

std::multimap<std::string, std::string> Copy(
    const std::multimap<grpc::string_ref, grpc::string_ref>& metadata) {
  std::multimap<std::string, std::string> copy;
  for (const auto& [key, value] : metadata) {
    copy.emplace(std::string(key.data(), key.size()), std::string(value.data(), value.size()));
  }
  return copy;
}

std::string Brief(const std::string& bytes) {
  if (bytes.size() <= 200) return absl::StrCat("\"", absl::CEscape(bytes), "\"");
  return absl::StrCat(bytes.size(), " bytes, CRC-32C ",
                      absl::Hex(static_cast<uint32_t>(absl::ComputeCrc32c(bytes))));
}

}  // namespace

std::string Name(RpcKind kind) {
  static constexpr const char* kNames[] = {"unary", "client_stream", "server_stream", "bidi"};
  return kNames[static_cast<int>(kind)];
}

std::string Name(ClientApi api) {
  static constexpr const char* kNames[] = {"sync", "callback", "queue"};
  return kNames[static_cast<int>(api)];
}

std::function<void(grpc::ClientContext*)> WithDeadline(absl::Duration from_now) {
  return [from_now](grpc::ClientContext* context) {
    context->set_deadline(absl::ToChronoTime(absl::Now() + from_now));
  };
}

std::function<void(grpc::ClientContext*)> Patiently(absl::Duration patience) {
  return [patience](grpc::ClientContext* context) {
    context->set_wait_for_ready(true);
    context->set_deadline(absl::ToChronoTime(absl::Now() + patience));
  };
}

ClientCall CallOfSize(size_t bytes) {
  ClientCall call;
  call.requests[0].set_payload(Pattern(bytes));
  return call;
}

ClientCall CallThatWaitsAtGate(RpcKind kind) {
  ClientCall call{.kind = kind};
  call.requests[0].mutable_script()->set_wait_at_gate(true);
  return call;
}

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
  grpc::ClientContext context;
  if (call.prepare) call.prepare(&context);
  Outcome outcome;
  switch (call.api) {
    case ClientApi::kSync:
      outcome.status = Run(SyncApi{stub, &context}, call, &outcome.responses);
      break;
    case ClientApi::kCallback:
      outcome.status = PerformCallback(stub, call, &context, &outcome.responses);
      break;
    case ClientApi::kCompletionQueue:
      outcome.status = Run(QueueApi{stub, &context}, call, &outcome.responses);
      break;
  }
  if (call.conclude) call.conclude();
  outcome.initial_metadata = Copy(context.GetServerInitialMetadata());
  outcome.trailing_metadata = Copy(context.GetServerTrailingMetadata());
  return outcome;
}

}  // namespace grpc_cxl::e2e
