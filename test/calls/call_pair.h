// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_CALLS_CALL_PAIR_H_
#define GRPC_CXL_TEST_CALLS_CALL_PAIR_H_

#include <atomic>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "absl/log/check.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/calls/client_calls.h"
#include "grpc_cxl/calls/server_calls.h"
#include "grpc_cxl/doorbell/spin_budget.h"
#include "test/coherence/test_view.h"

namespace grpc_cxl::internal {

// Both halves of a call area in one process. Wake-ups are only counted: the test says
// when each side looks.
struct CallPair {
  static constexpr size_t kBuffer = kPageBytes;

  explicit CallPair(SpinBudget spin = SpinBudget(WaitPolicy::kPark, absl::ZeroDuration()))
      : client(
            client_side.At(image), kBuffer, [this] { ++wakes_to_server; }, client_side.view(),
            /*polls=*/false, spin) {
    server.SetAccepting(true);
  }

  CallClientWords& client_words() { return *At<CallClientWords>(0); }
  CallServerWords& server_words() { return *At<CallServerWords>(kCallServerWordsAt); }
  CallClientSlot& client_slot(int i) { return At<CallClientSlot>(kCallClientSlotsAt)[i]; }
  CallServerSlot& server_slot(int i) { return At<CallServerSlot>(kCallServerSlotsAt)[i]; }

  // Whether the polling thread of a side finds news, after a look.
  bool ServerReady() {
    server_side.view().Refresh(&server_side.At(&client_words())->look);
    return server.Ready();
  }
  bool ClientReady() {
    client_side.view().Refresh(&client_side.At(&server_words())->look);
    return client.Ready();
  }

  template <typename T>
  T* At(size_t offset) {
    return reinterpret_cast<T*>(image.data() + offset);
  }

  // Acquires a slot and posts `request` in it. Thread-safe but for `generation`.
  int Post(const std::string& request, size_t limit = SIZE_MAX) {
    const int slot = client.Acquire();
    if (slot < 0) return slot;
    memcpy(client.RequestBuffer(slot).data(), request.data(), request.size());
    generation = client.Post(slot, request.size(), limit);
    return slot;
  }

  // Waits for the call on this thread.
  CallOutcome Wait(int slot, int64_t spin_ns = 0) {
    CallOutcome result;
    PastWait past;
    CHECK(client.Wait(slot, spin_ns, /*patience_ns=*/60'000'000'000, &result, &past) ==
          ClientCalls::Waited::kDone);
    return result;
  }
  // Leaves it to the polling thread, which the test plays; its outcome will be in `outcome`.
  void Poll(int slot) {
    client.WhenDone(slot, [this](CallOutcome polled) { outcome = std::move(polled); });
  }

  // The server takes what is there and gives every call `response`.
  absl::Status Serve(const std::string& response) {
    ServerCalls::News news = server.Run();
    for (ServerCalls::TakenCall& call : news.taken) {
      last_request = std::move(call.request);
      server.Respond(call.id, response);
    }
    return news.status;
  }

  struct alignas(kPageBytes) Page {
    char bytes[kPageBytes] = {};
  };
  std::vector<Page> pages{CallAreaBytes(kBuffer) / kPageBytes};
  std::atomic<int> wakes_to_server{0}, wakes_to_client{0};
  const absl::Span<char> image{pages[0].bytes, CallAreaBytes(kBuffer)};
  const TestView client_side{image}, server_side{image};
  ClientCalls client;
  ServerCalls server{server_side.At(image), kBuffer, [this] { ++wakes_to_client; },
                     server_side.view()};
  std::atomic<uint32_t> generation{0};
  std::string last_request;
  std::optional<CallOutcome> outcome;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_CALLS_CALL_PAIR_H_
