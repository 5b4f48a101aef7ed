// SPDX-License-Identifier: Apache-2.0
#include "bench/probes/memory_trips.h"

#include <fcntl.h>
#include <grpc/event_engine/slice.h>
#include <grpc/event_engine/slice_buffer.h>

#include <cstring>
#include <functional>
#include <memory>
#include <tuple>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/calls/client_calls.h"
#include "grpc_cxl/calls/server_calls.h"
#include "grpc_cxl/coherence/far_memory.h"
#include "grpc_cxl/direct/call_look.h"
#include "grpc_cxl/endpoint/endpoint_core.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/link/link_user.h"

namespace grpc_cxl::bench {
namespace {

using grpc_event_engine::experimental::SliceBuffer;
using internal::Arena;
using internal::EndpointCore;
using internal::Link;

constexpr size_t kBuffer = 16 << 10;
constexpr size_t kMessage = 64;

// The trips are those of nanoseconds as well as of microseconds.
constexpr MemoryDistance kFar{.load_ns = 1, .store_ns = 1};

const internal::LinkSizes kSizes{.ring_bytes = 64 << 10,
                                 .payload_bytes = 1 << 20,
                                 .call_bytes = internal::CallAreaBytes(kBuffer)};

MemoryTrips Count(std::string of, absl::FunctionRef<void()> what) {
  const internal::DistanceCounters& counters = internal::DistanceCounters::OfProcess();
  const uint64_t loads = counters.loads, stores = counters.stores;
  what();
  return {std::move(of), counters.loads - loads, counters.stores - stores};
}

class User : public internal::LinkUser {
 public:
  void Start(std::weak_ptr<internal::LinkOwner>) override {}
  void Retire() override {}
  void Ended() override {}
  bool Busy() const override { return false; }
};

// Answers each call at once.
class Server final : public User {
 public:
  explicit Server(Link* link)
      : calls_(
            link->call_area(), kBuffer, [link] { link->Wake(); }, link->view(), link->pages(),
            /*budget=*/nullptr, internal::ServerLookOf(*link)) {
    calls_.SetAccepting(true);
  }
  bool Ready() const override { return calls_.Ready(); }
  absl::Status Run() override {
    internal::ServerCalls::News news = calls_.Run();
    for (internal::ServerCalls::TakenCall& call : news.taken) {
      calls_.Respond(call.id, std::move(call.request));
    }
    return news.status;
  }

 private:
  internal::ServerCalls calls_;
};

class Client final : public User {
 public:
  explicit Client(Link* link)
      : calls(
            link->call_area(), kBuffer, [link] { link->Wake(); }, link->view(), link->polls(),
            internal::SpinBudget(WaitPolicy::kPark, absl::ZeroDuration()), link->pages(),
            /*numbers=*/nullptr, internal::ClientLookOf(*link)) {}
  bool Ready() const override { return calls.Ready(); }
  absl::Status Run() override { return calls.Run(); }

  int Post() {
    CHECK(calls.Accepting());
    const int slot = calls.Acquire();
    CHECK_GE(slot, 0);
    memset(calls.RequestBuffer(slot).data(), 'x', kMessage);
    calls.Post(slot, kMessage, /*response_limit=*/kBuffer);
    return slot;
  }

  internal::ClientCalls calls;
};

// Both ends of a connection between hosts. No thread but the caller's.
class Pair {
 public:
  explicit Pair(Coherence coherence) {
    absl::StatusOr<Arena> arena = Arena::Create(internal::ArenaBytes(kSizes), {});
    CHECK_OK(arena);
    absl::StatusOr<Arena> other =
        Arena::Attach(internal::UniqueFd(fcntl(arena->fd(), F_DUPFD_CLOEXEC, 0)), arena->size(),
                      arena->sealed(), /*resident=*/true);
    CHECK_OK(other);
    server = MakeCore<Server>(Link::Side::kServer, *std::move(arena), coherence).first;
    std::tie(client, client_user) =
        MakeCore<Client>(Link::Side::kClient, *std::move(other), coherence);
    ReadOn();
    CHECK(!client->Read([](const absl::Status&) {}, &client_buffer_));
    Settle();
  }

  // The polling thread of an end, once.
  static bool Look(EndpointCore& core) {
    if (!core.Ready()) return false;
    core.Run();
    return true;
  }
  void Settle() {
    while (Look(*server) || Look(*client)) {
    }
  }

  std::shared_ptr<EndpointCore> server, client;
  Client* client_user;
  size_t received = 0;

 private:
  template <typename SideUser>
  std::pair<std::shared_ptr<EndpointCore>, SideUser*> MakeCore(Link::Side side, Arena arena,
                                                               Coherence coherence) {
    absl::StatusOr<std::unique_ptr<Link>> link =
        Link::Create(side, std::move(arena), internal::UniqueFd(), kSizes,
                     {.memory = {.coherence = coherence, .distance = kFar}, .polls = true});
    CHECK_OK(link);
    auto user = std::make_unique<SideUser>(link->get());
    SideUser* const raw = user.get();
    return {std::make_shared<EndpointCore>(
                *std::move(link), internal::WaitTerms{.policy = WaitPolicy::kSpin},
                /*executor=*/nullptr, /*trust_peer=*/false, std::move(user)),
            raw};
  }
  // As gRPC does: the next read begins in the callback of the last.
  void ReadOn() {
    CHECK(!server->Read(
        [this](const absl::Status& status) {
          CHECK_OK(status);
          received += server_buffer_.Length();
          server_buffer_.Clear();
          ReadOn();
        },
        &server_buffer_));
  }

  SliceBuffer server_buffer_, client_buffer_;
};

}  // namespace

std::vector<MemoryTrips> CountMemoryTrips(Coherence coherence) {
  Pair pair(coherence);
  std::vector<MemoryTrips> all;
  const auto call = [&] {
    const int slot = pair.client_user->Post();
    CHECK(Pair::Look(*pair.server));
    internal::CallOutcome outcome;
    internal::PastWait past;
    CHECK(pair.client_user->calls.Wait(slot, /*spin_ns=*/0, /*patience_ns=*/1'000'000'000, &outcome,
                                       &past) == internal::ClientCalls::Waited::kDone);
    CHECK_EQ(outcome.response.size(), kMessage);
  };
  const auto polled_calls = [&](int calls) {
    int ended = 0;
    for (int i = 0; i < calls; ++i) {
      pair.client_user->calls.WhenDone(pair.client_user->Post(),
                                       [&](const internal::CallOutcome&) { ++ended; });
    }
    CHECK(Pair::Look(*pair.server));
    CHECK(Pair::Look(*pair.client));
    CHECK_EQ(ended, calls);
  };
  const auto message = [&] {
    SliceBuffer data;
    data.Append(
        grpc_event_engine::experimental::Slice::FromCopiedString(std::string(kMessage, 'x')));
    CHECK(pair.client->Write([](const absl::Status&) {}, &data));
    CHECK(Pair::Look(*pair.server));
    CHECK_EQ(std::exchange(pair.received, 0), kMessage);
  };
  for (const auto& warm_up : {std::function<void()>(call), std::function<void()>(message)}) {
    warm_up();
    pair.Settle();
  }
  all.push_back(Count("look in vain, server", [&] { CHECK(!Pair::Look(*pair.server)); }));
  all.push_back(Count("look in vain, client", [&] { CHECK(!Pair::Look(*pair.client)); }));
  all.push_back(Count("direct call", call));
  pair.Settle();
  for (const int calls : {1, 16}) {
    all.push_back(
        Count(absl::StrCat("direct calls, polled: ", calls), [&] { polled_calls(calls); }));
    pair.Settle();
  }
  all.push_back(Count("message in a ring", message));
  return all;
}

}  // namespace grpc_cxl::bench
