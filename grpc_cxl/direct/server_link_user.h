// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_SERVER_LINK_USER_H_
#define GRPC_CXL_DIRECT_SERVER_LINK_USER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpc_cxl/calls/call_capacity.h"
#include "grpc_cxl/calls/server_call_areas.h"
#include "grpc_cxl/direct/call_place.h"
#include "grpc_cxl/direct/own_server.h"
#include "grpc_cxl/direct/running_calls.h"
#include "grpc_cxl/direct/served_streams.h"
#include "grpc_cxl/direct/waiting_calls.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/link/link_user.h"
#include "grpc_cxl/payload/call_blocks.h"
#include "grpc_cxl/priority_level.h"
#include "grpc_cxl/status/call_figures.h"
#include "grpc_cxl/streams/server_streams.h"
#include "grpc_cxl/streams/stream_memory.h"

namespace grpc_cxl::internal {

class ServerLinkUser;

// Runs direct calls. Thread-safe; outlives its connections.
class CallHandler {
 public:
  virtual ~CallHandler() = default;

  // Takes a call. Exactly one Respond() of its connection follows, from any thread. An error
  // means that the request is malformed; it ends the connection.
  virtual absl::Status OnCall(std::shared_ptr<ServerLinkUser> connection, ServerCalls::CallId call,
                              std::string request) = 0;

  // Takes a stream, whose request is still to be read. `self` is this.
  virtual std::shared_ptr<StreamUser> OnStream(std::shared_ptr<ServerLinkUser> connection,
                                               std::unique_ptr<ServerStream> stream,
                                               StreamTerms terms,
                                               std::shared_ptr<CallHandler> self) = 0;
};

// The server's direct calls as a user of an endpoint's link. Thread-safe.
class ServerLinkUser final : public LinkUser, public CallCapacity::Connection {
 public:
  // `link` has `areas` call areas with buffers of `buffer_bytes`, and outlives this. `budget`: see
  // ServerCallAreas. `trust_peer`: see CallBlocks. `peer` is the text of ServerContext::peer() on
  // the stream path. `own` is for a client in this process; may be null. `capacity` is the server's
  // for all of its connections; `tells_load`: the client is told how much of it is in use.
  ServerLinkUser(Link* link, size_t buffer_bytes, size_t areas, std::shared_ptr<CallBudget> budget,
                 bool trust_peer, std::string peer, std::shared_ptr<OwnServer> own,
                 std::shared_ptr<CallCapacity> capacity, bool tells_load = false);
  ~ServerLinkUser() override;

  // Streams as well. Before Start().
  void AddStreams(std::unique_ptr<ServerStreams> streams);

  void Start(std::weak_ptr<LinkOwner> owner) override;

  // A pointer to this that keeps the owner alive; null when the owner is gone. After Start().
  std::shared_ptr<ServerLinkUser> Self();

  // Takes calls from now until Retire(); they go to `handler`.
  void SetHandler(std::shared_ptr<CallHandler> handler);

  // For the handler: `running` may be cancelled until Respond(). `code` is that of the status in
  // `response`.
  void Running(ServerCalls::CallId call, Cancellable* running);
  void Respond(ServerCalls::CallId call, std::string response, uint32_t code);
  // The name of the call's place, for its metadata; empty where handlers hold none.
  std::string NamePlace(ServerCalls::CallId call);

  // For streams: one has ended, or its slot is free; one was malformed.
  void StreamOver();
  void EndConnection(absl::Status why) {
    if (const auto owner = owner_.lock()) owner->End(std::move(why));
  }

  // A call without a slot, of a client in this process that runs it itself (inline_call.h); it may
  // be cancelled until EndInline(). Its handler is null if the server takes none, or has no room.
  // It has a place where handlers hold them.
  struct Inline {
    std::shared_ptr<CallHandler> handler;
    Priority priority = Priority::kDefault;
    std::shared_ptr<CallPlace> place;
    int64_t began_ns = 0;
  };
  Inline BeginInline(Cancellable* running, Priority priority);
  // BeginWaiting() must follow when its caller has been answered.
  void EndInline(Cancellable* running, Inline* call);
  void BeginWaiting() { capacity_->BeginWaiting(); }

  // The server's capacity has changed.
  void TellCapacity();
  CallCapacity::Connection::Begun BeginNext(Priority priority) override;

  // After Retire(): waits until every taken call has its response, at most until `deadline`.
  // False: calls still run.
  bool AwaitResponses(absl::Time deadline);

  const std::string& peer() const { return peer_; }
  const CallBlocks& blocks() const { return blocks_; }
  size_t buffer_bytes() const { return calls_.buffer_bytes(); }

  bool Ready() const override {
    return calls_.Ready() || (streams_ != nullptr && streams_->Ready());
  }
  absl::Status Run() override;
  void Retire() override;
  // The client is gone: cancels the calls that run, and drops their responses.
  void Ended() override;
  // seq_cst: see EndpointCore.
  bool Busy() const override {
    return calls_.busy() > 0 || inline_count_ > 0 || (streams_ != nullptr && streams_->busy() > 0);
  }
  uint64_t activity() const override {
    return calls_.calls_seen() + (streams_ == nullptr ? 0 : streams_->activity());
  }
  void Rest() override {
    if (streams_ != nullptr) streams_->Rest();
  }
  bool MayRest() const override { return streams_ != nullptr && streams_->MayRest(); }
  void FillStatus(StatusConnection* entry) const override;

 private:
  // Makes the user of a stream; null: no handler takes it.
  std::shared_ptr<StreamUser> BeginStream(std::unique_ptr<ServerStream> stream, StreamTerms terms);
  using TakenCalls = absl::InlinedVector<ServerCalls::TakenCall, 1>;
  // Has the handler begin them, on this thread or with the poller's deferred work.
  void Dispatch(TakenCalls taken);
  // Gives a taken call to the handler.
  void Begin(ServerCalls::CallId call, std::string request);
  // After the end of a call, and after Retire(): drops the handler when the last call is over.
  void Finished();
  // Calls that must wait, and those that need not any more.
  void Wait(const ServerCalls::News& news);
  void RefuseWaiting();
  void CountWaiting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(wait_mu_);
  // Null where handlers hold none.
  std::shared_ptr<CallPlace> MakePlace(Priority priority) const;
  // A call has ended, and is not in the capacity any more unless its handler goes on. Returns how
  // long it took. BeginWaiting() must follow.
  int64_t LeavePlace(std::shared_ptr<CallPlace> place, Priority priority, int64_t began_ns);
  // Tells the client load and capacity.
  void Tell() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  ServerCallAreas calls_;
  std::unique_ptr<ServedStreams> streams_;  // null: none; set once, by AddStreams()
  const CallBlocks blocks_;
  const std::string peer_;
  CallFigures figures_;  // but for `one_way`, written under mu_
  // By slot, of taken calls; each is its call's: when it was taken, and its place if it has a name.
  std::vector<int64_t> taken_ns_;
  std::vector<std::shared_ptr<CallPlace>> places_;
  const std::shared_ptr<OwnServer> own_;
  const std::shared_ptr<CallCapacity> capacity_;
  const bool tells_load_;
  std::weak_ptr<LinkOwner> owner_;  // set once, by Start()

  absl::Mutex mu_;
  std::shared_ptr<CallHandler> handler_ ABSL_GUARDED_BY(mu_);  // kept until the last call is over
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  // Stored under mu_. seq_cst, with calls_: the last call goes before Retire() looks, or sees this.
  std::atomic<bool> retired_{false};
  RunningCalls running_ ABSL_GUARDED_BY(mu_);
  std::set<Cancellable*> inline_ ABSL_GUARDED_BY(mu_);
  std::atomic<int> inline_count_{0};  // its size; stored under mu_
  uint32_t told_capacity_ ABSL_GUARDED_BY(mu_) = 0;

  absl::Mutex wait_mu_;
  WaitingCalls waiting_ ABSL_GUARDED_BY(wait_mu_);
  std::set<Priority> in_turn_ ABSL_GUARDED_BY(wait_mu_);  // of which CallCapacity knows
  // Their number, and that of bulk calls; stored under wait_mu_.
  std::atomic<size_t> waiting_count_{0}, waiting_bulk_{0};
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_SERVER_LINK_USER_H_
