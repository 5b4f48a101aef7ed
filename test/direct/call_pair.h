#ifndef GRPC_CXL_TEST_DIRECT_CALL_PAIR_H_
#define GRPC_CXL_TEST_DIRECT_CALL_PAIR_H_

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "grpc_cxl/direct/call_layout.h"
#include "grpc_cxl/direct/client_calls.h"
#include "grpc_cxl/direct/server_calls.h"
#include "grpc_cxl/doorbell/spin_budget.h"

namespace grpc_cxl {

// Both halves of a region of calls in one process. Rings are only counted: the test says
// when each side looks.
struct CallPair {
  static constexpr size_t kBuffer = kCallPageBytes;

  explicit CallPair(SpinBudget spin = SpinBudget(WaitPolicy::kPark, absl::ZeroDuration()))
      : client(
            absl::MakeSpan(memory.get(), CallRegionBytes(kBuffer)), kBuffer,
            [this] { ++rings_to_server; }, spin) {
    server.SetAccepting(true);
  }

  CallClientWords& client_words() { return *At<CallClientWords>(0); }
  CallServerWords& server_words() { return *At<CallServerWords>(kCallServerWordsAt); }
  CallClientSlot& client_slot(int i) { return At<CallClientSlot>(kCallClientSlotsAt)[i]; }
  CallServerSlot& server_slot(int i) { return At<CallServerSlot>(kCallServerSlotsAt)[i]; }

  template <typename T>
  T* At(size_t offset) {
    return reinterpret_cast<T*>(memory.get() + offset);
  }

  // Acquires a slot and posts `request` in it.
  int Post(const std::string& request, size_t limit = SIZE_MAX) {
    const int slot = client.Acquire();
    if (slot < 0) return slot;
    memcpy(client.RequestBuffer(slot).data(), request.data(), request.size());
    generation = client.Post(slot, request.size(), limit);
    return slot;
  }

  // The server takes what is there and gives every call `response`.
  absl::Status Serve(const std::string& response) {
    return server.Run(
        [&](ServerCalls::CallId call, std::string request) {
          last_request = std::move(request);
          server.Respond(call, response);
        },
        [](ServerCalls::CallId) {});
  }

  struct Free {
    void operator()(char* memory) const { free(memory); }
  };
  static char* Zeroed() {
    char* const memory =
        static_cast<char*>(aligned_alloc(kCallPageBytes, CallRegionBytes(kBuffer)));
    memset(memory, 0, CallRegionBytes(kBuffer));
    return memory;
  }

  std::unique_ptr<char, Free> memory{Zeroed()};
  std::atomic<int> rings_to_server{0};
  std::atomic<int> rings_to_client{0};
  ClientCalls client;
  ServerCalls server{absl::MakeSpan(memory.get(), CallRegionBytes(kBuffer)), kBuffer,
                     [this] { ++rings_to_client; }};
  uint32_t generation = 0;
  std::string last_request;
};

}  // namespace grpc_cxl

#endif  // GRPC_CXL_TEST_DIRECT_CALL_PAIR_H_
