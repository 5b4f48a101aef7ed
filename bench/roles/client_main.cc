#include "bench/roles/client_main.h"

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/log/check.h"
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
#include "bench/roles/latency_breakdown.h"
#include "bench/roles/measure.h"

namespace grpc_cxl::bench {
namespace {

class Client {
 public:
  explicit Client(Workload& workload) : workload_(workload) {}

  absl::StatusOr<Reply> Handle(const Request& request) {
    switch (request.what_case()) {
      case Request::kStartClient:
        return Start(request.start_client());
      case Request::kRound:
        return RunRound(request.round());
      case Request::kOpenConnections:
        return Open(request.open_connections());
      case Request::kBlockingHandler:
        return Block(request.blocking_handler());
      case Request::kLatencyBreakdown:
        return TakeApart(request.latency_breakdown());
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
    channel_ =
        start.path().transport() == "inproc" ? InProcessChannel() : MakeChannel(start.path());
    return Finished();
  }

  // To a server of our own.
  std::shared_ptr<grpc::Channel> InProcessChannel() {
    service_ = workload_.MakeService(start_.path().service_api());
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(-1);
    builder.SetMaxSendMessageSize(-1);
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    CHECK(server_ != nullptr);
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetMaxSendMessageSize(-1);
    return server_->InProcessChannel(arguments);
  }

  absl::StatusOr<Reply> Block(const BlockingHandler& what) {
    Case small;
    small.set_size_bytes(64);
    const auto caller = workload_.MakeCaller(channel_, small);
    const auto blocker = workload_.MakeCaller(channel_, small);
    absl::StatusOr<HandlerBlocked> result = MeasureBlocking(*caller, *blocker, what);
    if (!result.ok()) return result.status();
    Reply reply;
    *reply.mutable_handler_blocked() = *std::move(result);
    return reply;
  }

  absl::StatusOr<Reply> TakeApart(const LatencyBreakdown& what) {
    Case size;
    size.set_size_bytes(what.size_bytes());
    absl::StatusOr<BrokenDown> result =
        MeasureParts(*workload_.MakeCaller(channel_, size), what.calls());
    if (!result.ok()) return result.status();
    Reply reply;
    *reply.mutable_broken_down() = *std::move(result);
    return reply;
  }

  absl::StatusOr<Reply> RunRound(const Round& round) {
    std::vector<std::unique_ptr<Caller>> callers;
    for (uint32_t i = 0; i < round.what().concurrency(); ++i) {
      callers.push_back(workload_.MakeCaller(channel_, round.what()));
    }
    const auto before = workload_.ClientAndServerTraffic(channel_);
    absl::StatusOr<RoundResult> result = Measure(callers, round, start_.server_pid());
    if (!result.ok()) return result.status();
    const auto after = workload_.ClientAndServerTraffic(channel_);
    if (before.has_value() && after.has_value()) {
      result->set_copies_there(Copies(*before, *after));
      result->set_copies_back(
          Copies({before->second, before->first}, {after->second, after->first}));
      // Counted from before the warm-up.
      result->set_memory_us_per_call((after->first.memory_ns - before->first.memory_ns +
                                      after->second.memory_ns - before->second.memory_ns) /
                                     1e3 / (result->calls() * (1 + kWarmUpShare)));
    }
    Reply reply;
    *reply.mutable_round_result() = *std::move(result);
    return reply;
  }

  // How often a byte that the first of a pair sent to the second was copied in between.
  using Traffics = std::pair<Workload::Traffic, Workload::Traffic>;
  static double Copies(const Traffics& before, const Traffics& after) {
    const auto [from, to] = before;
    const double sent = after.first.sent - from.sent;
    const double received = after.second.received - to.received;
    if (sent <= 0 || received <= 0) return 0;
    return (after.first.copied_to_send - from.copied_to_send) / sent +
           (after.second.copied_to_receive - to.copied_to_receive) / received;
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
      const grpc::Status status = workload_.MakeCaller(idle_.back(), what)->Call();
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

  static Reply Finished() {
    Reply reply;
    reply.mutable_done();
    return reply;
  }

  Workload& workload_;
  StartClient start_;
  // Of inproc.
  std::unique_ptr<grpc::Service> service_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::vector<std::shared_ptr<grpc::Channel>> idle_;
};

}  // namespace

int ClientMain(Workload& workload) {
  Client client(workload);
  return AnswerRequests([&](const Request& request) { return client.Handle(request); });
}

}  // namespace grpc_cxl::bench
