// SPDX-License-Identifier: Apache-2.0
#include "bench/roles/relay_main.h"

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "bench/harness/answer_requests.h"
#include "bench/harness/transport.h"
#include "bench/roles/measure.h"
#include "bench/roles/relay_service.h"

namespace grpc_cxl::bench {
namespace {

void SetDeadline(grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
}

// A service of the chain, in this process: the one of a server process, or one of a chain in one
// process.
struct RelayServer {
  explicit RelayServer(std::shared_ptr<grpc::Channel> next) : service(std::move(next)) {}

  // Serves on `path`; null: in-process channels only. Returns the port of a tcp address.
  absl::StatusOr<int> Start(const Path* path) {
    grpc::ServerBuilder builder;
    int port = 0;
    if (path != nullptr) {
      builder.AddListeningPort(path->address(), ServerCredentials(*path), &port);
      Configure(*path, builder);
    }
    builder.RegisterService(&service);
    server = builder.BuildAndStart();
    if (server == nullptr) {
      return absl::UnavailableError("cannot listen; its log says why");
    }
    if (path != nullptr) {
      if (absl::Status started = Started(*path, *server); !started.ok()) return started;
    }
    return port;
  }

  RelayService service;
  std::unique_ptr<grpc::Server> server;  // ends first
};

// A call passes through the first `services` of a chain.
class ChainCaller : public Caller {
 public:
  ChainCaller(std::shared_ptr<grpc::Channel> first, const Case& what)
      : stub_(Relay::NewStub(std::move(first))) {
    request_.set_data(std::string(what.size_bytes(), 'x'));
    request_.set_services(what.services());
  }

  grpc::Status Call() override {
    grpc::ClientContext context;
    SetDeadline(&context);
    return stub_->Forward(&context, request_, &response_);
  }

 private:
  std::unique_ptr<Relay::Stub> stub_;
  Relayed request_, response_;
};

// A call is one to each of `services` at once, until the last has answered.
class FanOutCaller : public Caller {
 public:
  FanOutCaller(const std::vector<std::shared_ptr<grpc::Channel>>& channels, const Case& what) {
    request_.set_data(std::string(what.size_bytes(), 'x'));
    request_.set_services(1);
    for (uint32_t i = 0; i < what.services(); ++i) stubs_.push_back(Relay::NewStub(channels[i]));
  }

  grpc::Status Call() override {
    struct One {
      grpc::ClientContext context;
      Relayed response;
      grpc::Status status;
    };
    std::vector<One> calls(stubs_.size());
    absl::BlockingCounter running(static_cast<int>(calls.size()));
    for (size_t i = 0; i < calls.size(); ++i) {
      SetDeadline(&calls[i].context);
      stubs_[i]->async()->Forward(&calls[i].context, &request_, &calls[i].response,
                                  [&running, call = &calls[i]](const grpc::Status& status) {
                                    call->status = status;
                                    running.DecrementCount();
                                  });
    }
    running.Wait();
    for (const One& call : calls) {
      if (!call.status.ok()) return call.status;
    }
    return grpc::Status::OK;
  }

 private:
  std::vector<std::unique_ptr<Relay::Stub>> stubs_;
  Relayed request_;
};

class RelayClient {
 public:
  absl::StatusOr<Reply> Handle(const Request& request) {
    if (request.has_start_relay_client()) return Start(request.start_relay_client());
    if (request.has_round()) return RunRound(request.round());
    return absl::UnimplementedError("A client process of a chain does not do this.");
  }

 private:
  absl::StatusOr<Reply> Start(const StartRelayClient& start) {
    if (IsOneProcess(start.services(0))) {
      if (absl::Status started = StartHere(start); !started.ok()) return started;
    } else {
      for (const Path& path : start.services()) channels_.push_back(MakeChannel(path));
    }
    Reply reply;
    reply.mutable_done();
    return reply;
  }

  // Starts the whole chain in this process, from the last service to the first.
  absl::Status StartHere(const StartRelayClient& start) {
    for (int i = start.services_size() - 1; i >= 0; --i) {
      const Path* path = &start.services(i);
      if (path->transport() == "inproc") path = nullptr;
      RelayServer& added = *servers_.emplace_back(
          std::make_unique<RelayServer>(channels_.empty() ? nullptr : channels_.front()));
      if (auto started = added.Start(path); !started.ok()) return started.status();
      channels_.insert(channels_.begin(),
                       path == nullptr ? added.server->InProcessChannel({}) : MakeChannel(*path));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Reply> RunRound(const Round& round) {
    const Case& what = round.what();
    if (what.services() < 1 || what.services() > channels_.size()) {
      return absl::InvalidArgumentError("there are not that many services");
    }
    std::vector<std::unique_ptr<Caller>> callers;
    if (what.api() == "chain") {
      callers.push_back(std::make_unique<ChainCaller>(channels_.front(), what));
    } else {
      callers.push_back(std::make_unique<FanOutCaller>(channels_, what));
    }
    absl::StatusOr<RoundResult> result = Measure(callers, round, getpid());
    if (!result.ok()) return result.status();
    Reply reply;
    *reply.mutable_round_result() = *std::move(result);
    return reply;
  }

  std::vector<std::unique_ptr<RelayServer>> servers_;  // in this process
  std::vector<std::shared_ptr<grpc::Channel>> channels_;
};

}  // namespace

int RelayServerMain() {
  std::unique_ptr<RelayServer> server;
  return AnswerRequests([&](const Request& request) -> absl::StatusOr<Reply> {
    const StartRelay& start = request.start_relay();
    server = std::make_unique<RelayServer>(start.has_next() ? MakeChannel(start.next()) : nullptr);
    const absl::StatusOr<int> port = server->Start(&start.path());
    if (!port.ok()) return port.status();
    Reply reply;
    reply.mutable_server_started()->set_address(
        IsTcp(start.path()) ? absl::StrCat("127.0.0.1:", *port) : start.path().address());
    return reply;
  });
}

int RelayClientMain() {
  RelayClient client;
  return AnswerRequests([&](const Request& request) { return client.Handle(request); });
}

}  // namespace grpc_cxl::bench
