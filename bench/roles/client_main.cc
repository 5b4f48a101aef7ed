// SPDX-License-Identifier: Apache-2.0
#include "bench/roles/client_main.h"

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "bench/harness/answer_requests.h"
#include "bench/harness/control.pb.h"
#include "bench/harness/pinning.h"
#include "bench/harness/transport.h"
#include "bench/probes/usage.h"
#include "bench/roles/blocking_handler.h"
#include "bench/roles/echo_caller.h"
#include "bench/roles/echo_service.h"
#include "bench/roles/latency_breakdown.h"
#include "bench/roles/measure.h"
#include "bench/roles/traffic.h"

namespace grpc_cxl::bench {
namespace {

class Client {
 public:
  absl::StatusOr<Reply> Handle(const Request& request) {
    switch (request.what_case()) {
      case Request::kStartClient:
        return Start(request.start_client());
      case Request::kRound:
        return RunRound(request.round());
      case Request::kOpenConnections:
        return Open(request.open_connections());
      case Request::kBlockingHandler:
        return RunBlockingHandler(request.blocking_handler());
      case Request::kLatencyBreakdown:
        return RunLatencyBreakdown(request.latency_breakdown());
      case Request::kRest:
        return RestFor(request.rest());
      default:
        return absl::UnimplementedError("A client process does not do this.");
    }
  }

 private:
  absl::StatusOr<Reply> Start(const StartClient& start) {
    start_ = start;
    if (start.path().pinned()) {  // before there are other threads
      if (absl::Status pinned = PinToHalf(Side::kClient); !pinned.ok()) return pinned;
    }
    if (IsOneProcess(start.path())) {
      if (absl::Status served = ServeHere(); !served.ok()) return served;
    } else {
      channel_ = MakeChannel(start.path());
    }
    stub_ = Echo::NewStub(channel_);
    Reply reply;
    reply.mutable_done();
    return reply;
  }

  // Makes channel_ one to a server in this process.
  absl::Status ServeHere() {
    Path path = start_.path();
    const bool own = path.transport() == "cxl_own";
    path.set_address(path.address() + "_own");  // the server process has the other
    service_ = MakeEchoService(start_.path());
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(-1);
    builder.SetMaxSendMessageSize(-1);
    if (own) builder.AddListeningPort(path.address(), ServerCredentials(path));
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) return absl::UnavailableError("cannot serve; the log says why");
    if (own) {
      channel_ = MakeChannel(path);
      return Started(path, *server_);
    }
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetMaxSendMessageSize(-1);
    channel_ = server_->InProcessChannel(arguments);
    return absl::OkStatus();
  }

  absl::StatusOr<Reply> RunBlockingHandler(const BlockingHandler& what) {
    absl::StatusOr<HandlerBlocked> result = MeasureBlockingHandler(channel_, what);
    if (!result.ok()) return result.status();
    Reply reply;
    *reply.mutable_handler_blocked() = *std::move(result);
    return reply;
  }

  absl::StatusOr<Reply> RunLatencyBreakdown(const LatencyBreakdown& what) {
    absl::StatusOr<LatencyParts> result = MeasureLatencyBreakdown(*stub_, what);
    if (!result.ok()) return result.status();
    Reply reply;
    *reply.mutable_latency_parts() = *std::move(result);
    return reply;
  }

  absl::StatusOr<Reply> RunRound(const Round& round) {
    std::vector<std::unique_ptr<Caller>> callers;
    for (uint32_t i = 0; i < round.what().concurrency(); ++i) {
      callers.push_back(MakeEchoCaller(channel_, round.what()));
    }
    const std::optional<Traffic> before = TrafficSoFar(*stub_);
    absl::StatusOr<RoundResult> result = Measure(callers, round, start_.server_pid());
    if (!result.ok()) return result.status();
    const std::optional<Traffic> after = TrafficSoFar(*stub_);
    if (before && after) AddTraffic(*before, *after, &*result);
    Reply reply;
    *reply.mutable_round_result() = *std::move(result);
    return reply;
  }

  absl::StatusOr<Reply> Open(const OpenConnections& open) {
    Case what;
    what.set_size_bytes(1);
    std::vector<double> took_ms;
    for (uint32_t i = 0; i < open.count(); ++i) {
      const absl::Time start = absl::Now();
      Path path = start_.path();
      path.set_connection(idle_.size() + 1);
      idle_.push_back(MakeChannel(path));
      const grpc::Status status = MakeEchoCaller(idle_.back(), what)->Call();
      if (!status.ok()) {
        return absl::AbortedError(absl::StrCat("connection ", i + 1, " of ", open.count(),
                                               " failed: ", status.error_message()));
      }
      took_ms.push_back(absl::ToDoubleMilliseconds(absl::Now() - start));
    }
    Reply reply;
    ConnectionsOpened& opened = *reply.mutable_connections_opened();
    opened.set_longest_ms(took_ms.empty() ? 0 : *std::max_element(took_ms.begin(), took_ms.end()));
    opened.set_median_ms(Median(std::move(took_ms)));
    return reply;
  }

  absl::StatusOr<Reply> RestFor(const Rest& rest) {
    const int64_t client = UsageOf(getpid()).cpu_ns;
    const int64_t server = UsageOf(start_.server_pid()).cpu_ns;
    absl::SleepFor(absl::Seconds(rest.seconds()));
    Reply reply;
    Rested& rested = *reply.mutable_rested();
    rested.set_client_cpu_ms((UsageOf(getpid()).cpu_ns - client) / 1e6);
    rested.set_server_cpu_ms((UsageOf(start_.server_pid()).cpu_ns - server) / 1e6);
    return reply;
  }

  StartClient start_;
  std::unique_ptr<grpc::Service> service_;  // in this process
  std::unique_ptr<grpc::Server> server_;    // in this process
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Echo::Stub> stub_;
  std::vector<std::shared_ptr<grpc::Channel>> idle_;
};

}  // namespace

int ClientMain() {
  Client client;
  return AnswerRequests([&](const Request& request) { return client.Handle(request); });
}

}  // namespace grpc_cxl::bench
