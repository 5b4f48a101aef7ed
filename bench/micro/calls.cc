// SPDX-License-Identifier: Apache-2.0

// The parts of a direct call that belong to this library: encoding a request, decoding it, and a
// slot's way to the server and back, in one thread and between two spinning threads; beside
// memcpy() of the message and the round trip of a bare word between processes.

#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/log/check.h"
#include "absl/types/span.h"
#include "bench/micro/limits.h"
#include "grpc_cxl/calls/call_codec.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/calls/client_calls.h"
#include "grpc_cxl/calls/server_calls.h"

namespace grpc_cxl::bench {
namespace {

constexpr size_t kBuffer = 4096;

// Both ends of a call area. Neither sleeps, so waking does nothing.
struct BothEnds {
  struct Free {
    void operator()(char* memory) const { free(memory); }
  };
  static char* Zeroed() {
    void* const memory = aligned_alloc(internal::kPageBytes, internal::CallAreaBytes(kBuffer));
    return static_cast<char*>(memset(memory, 0, internal::CallAreaBytes(kBuffer)));
  }

  std::unique_ptr<char, Free> memory{Zeroed()};
  internal::ClientCalls client{absl::MakeSpan(memory.get(), internal::CallAreaBytes(kBuffer)),
                               kBuffer, [] {}};
  internal::ServerCalls server{absl::MakeSpan(memory.get(), internal::CallAreaBytes(kBuffer)),
                               kBuffer, [] {}};
};

internal::RequestView View(const std::string& message) {
  return {30'000'000'000,
          "/grpc_cxl.bench.Echo/Call",
          {{"x-request-id", "5f3c8e0a-74b1-4c19-9d58-0e6f2a7b31cd"}, {"x-tenant", "bench"}},
          message};
}

size_t Encode(const internal::RequestView& view, absl::Span<char> buffer) {
  const size_t head = internal::RequestHeadBytes(view);
  internal::EncodeRequestHead(view, view.message.size(), buffer.subspan(0, head));
  memcpy(buffer.data() + head, view.message.data(), view.message.size());
  return head + view.message.size();
}

void BM_EncodeRequest(benchmark::State& state) {
  const std::string message(state.range(0), 'x');
  std::string buffer(kBuffer, '\0');
  for (auto _ : state) {
    size_t bytes = Encode(View(message), absl::MakeSpan(buffer));
    benchmark::DoNotOptimize(bytes);
  }
}
BENCHMARK(BM_EncodeRequest)->Name("calls/encode_request")->Arg(64)->Arg(2048);

void BM_DecodeRequest(benchmark::State& state) {
  const std::string message(state.range(0), 'x');
  std::string buffer(kBuffer, '\0');
  buffer.resize(Encode(View(message), absl::MakeSpan(buffer)));
  for (auto _ : state) {
    auto view = internal::DecodeRequest(buffer);
    CHECK_OK(view.status());
    benchmark::DoNotOptimize(view);
  }
}
BENCHMARK(BM_DecodeRequest)->Name("calls/decode_request")->Arg(64)->Arg(2048);

void Answer(internal::ServerCalls& server, const std::string& response) {
  const internal::ServerCalls::News news = server.Run();
  CHECK_OK(news.status);
  for (const internal::ServerCalls::TakenCall& call : news.taken) server.Respond(call.id, response);
}

// Posts a call, has `serve` or another thread answer it, and spins until the answer is there.
template <typename Serve>
void CallOnce(internal::ClientCalls& client, Serve serve) {
  const int slot = client.Acquire();
  CHECK_GE(slot, 0);
  client.Post(slot, 100, SIZE_MAX);
  serve();
  internal::CallOutcome outcome;
  internal::PastWait past;
  constexpr int64_t kSecond = 1'000'000'000;
  CHECK(client.Wait(slot, kSecond, kSecond, &outcome, &past) ==
        internal::ClientCalls::Waited::kDone);
  CHECK(outcome.kind == internal::CallOutcome::Kind::kResponse);
}

void BM_SlotInOneThread(benchmark::State& state) {
  BothEnds ends;
  ends.server.SetAccepting(true);
  const std::string response(100, 'x');
  for (auto _ : state) CallOnce(ends.client, [&] { Answer(ends.server, response); });
}
BENCHMARK(BM_SlotInOneThread)->Name("calls/slot_in_one_thread");

void BM_SlotBetweenSpinningThreads(benchmark::State& state) {
  BothEnds ends;
  ends.server.SetAccepting(true);
  std::atomic<bool> stop{false};
  std::thread server([&] {
    const std::string response(100, 'x');
    while (!stop.load(std::memory_order_relaxed)) {
      if (ends.server.Ready()) Answer(ends.server, response);
    }
  });
  for (auto _ : state) CallOnce(ends.client, [] {});
  stop = true;
  server.join();
}
BENCHMARK(BM_SlotBetweenSpinningThreads)
    ->Name("calls/slot_between_spinning_threads")
    ->UseRealTime();

BENCHMARK(LimitMemcpy)->Name("calls/limit/memcpy")->Args({64, 1})->Args({2048, 1});
BENCHMARK(LimitSharedWord)->Name("calls/limit/shared_word_ping_pong")->UseRealTime();

}  // namespace
}  // namespace grpc_cxl::bench
