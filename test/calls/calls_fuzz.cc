// SPDX-License-Identifier: Apache-2.0
// Fuzzes both halves of a call area against a peer that writes what it likes into the area at
// any moment. The server's half takes, answers and cancels calls; the client's half posts and
// waits for them. Every step ends OK or with DATA_LOSS, every posted call has one outcome in
// the end, and what is decoded lies inside of what was read.

#include <malloc.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "grpc_cxl/calls/call_codec.h"
#include "test/calls/call_pair.h"
#include "test/fuzz/fuzz_input.h"

namespace grpc_cxl::internal {
namespace {

constexpr int kSlots = 4;  // of the 64, so that things meet

bool Fine(const absl::Status& status) {
  CHECK(status.ok() || absl::IsDataLoss(status)) << status;
  return status.ok();
}

void CheckDecoding(const std::string& bytes) {
  const auto inside = [&](absl::string_view part) {
    CHECK(part.empty() || (part.data() >= bytes.data() &&
                           part.data() + part.size() <= bytes.data() + bytes.size()));
  };
  const auto all_inside = [&](const MetadataView& metadata) {
    for (const auto& [key, value] : metadata) inside(key), inside(value);
  };
  if (const auto request = DecodeRequest(bytes); request.ok()) {
    inside(request->method);
    inside(request->message);
    all_inside(request->metadata);
  }
  if (const auto response = DecodeResponse(bytes); response.ok()) {
    inside(response->status_message);
    inside(response->status_details);
    inside(response->message);
    all_inside(response->initial_metadata);
    all_inside(response->trailing_metadata);
  }
}

void ScribbleClientWords(CallPair& pair, FuzzInput& input) {
  const int slot = static_cast<int>(input.TakeUpTo(kSlots - 1));
  CallClientWords& words = pair.client_words();
  CallClientSlot& mine = pair.client_slot(slot);
  const auto word_near = [&](uint64_t near) { return static_cast<uint32_t>(input.TakeWord(near)); };
  switch (input.TakeUpTo(7)) {
    case 0:
      words.look.posted.fetch_xor(uint64_t{1} << slot);
      break;
    case 1:
      words.look.cancelled = input.TakeWord(words.look.cancelled);
      break;
    case 2:
      words.look.acked.fetch_xor(uint64_t{1} << slot);
      break;
    case 3:
      words.look.ping = input.Take<uint32_t>();
      break;
    case 4:
      mine.generation = word_near(mine.generation);
      break;
    case 5:
      mine.request_bytes = word_near(CallPair::kBuffer);
      break;
    case 6:
      mine.waiter = input.Take<uint8_t>();
      break;
    default:
      mine.cancelled_generation = word_near(mine.generation);
  }
}

// The server's half; the peer is the fuzzer.
void AttackServer(FuzzInput& input) {
  CallPair pair;
  std::vector<ServerCalls::CallId> running, waiting;
  const auto take = [&](const ServerCalls::TakenCall& call) {
    CHECK_LE(call.request.size(), CallPair::kBuffer);
    CheckDecoding(call.request);
    running.push_back(call.id);
  };
  bool room = true, useful = true;
  while (useful && !input.empty()) {
    switch (input.TakeUpTo(6)) {
      case 0: {
        const ServerCalls::News news = pair.server.Run([&](Priority) { return room; });
        for (const ServerCalls::TakenCall& call : news.taken) take(call);
        waiting.insert(waiting.end(), news.waiting.begin(), news.waiting.end());
        useful = Fine(news.status);
        break;
      }
      case 5:
        room = !room;
        break;
      case 6:
        if (waiting.empty()) break;
        if (const auto call = pair.server.TakeWaiting(waiting.front())) {
          take(*call);
        } else {
          CHECK(!pair.server.Refuse(waiting.front()));
        }
        waiting.erase(waiting.begin());
        break;
      case 1:
        if (running.empty()) break;
        pair.server.Respond(running.back(),
                            std::string(input.TakeUpTo(3 * CallPair::kBuffer), 'a'));
        running.pop_back();
        break;
      case 2: {
        const absl::string_view bytes = input.TakeBytes(64);
        char* const buffer = pair.client.RequestBuffer(static_cast<int>(input.TakeUpTo(3))).data();
        memcpy(buffer, bytes.data(), bytes.size());
        break;
      }
      default:
        ScribbleClientWords(pair, input);
    }
  }
  for (const ServerCalls::CallId& call : running) pair.server.Respond(call, "late");
  CHECK_EQ(pair.server.running(), 0);
}

// The client's half.
void AttackClient(FuzzInput& input) {
  CallPair pair;
  int posted = 0, outcomes = 0;
  const auto count = [&](const CallOutcome& outcome) {
    CheckDecoding(outcome.response);
    ++outcomes;
  };
  bool useful = true;
  while (useful && !input.empty()) {
    const int slot = static_cast<int>(input.TakeUpTo(kSlots - 1));
    CallServerSlot& theirs = pair.server_slot(slot);
    switch (input.TakeUpTo(6)) {
      case 0: {
        const int mine = pair.Post("q", input.TakeUpTo(3 * CallPair::kBuffer));
        if (mine < 0) break;
        ++posted;
        CallOutcome outcome;
        PastWait past;
        // Looks once.
        if (pair.client.Wait(mine, 0, 0, &outcome, &past) == ClientCalls::Waited::kDone) {
          count(outcome);
        } else {
          pair.client.WhenDone(mine, count);
        }
        break;
      }
      case 1:
        useful = Fine(pair.client.Run());
        break;
      case 2:
        pair.client.Cancel(slot, pair.client_slot(slot).generation);
        break;
      case 3:
        theirs.part_bytes = static_cast<uint32_t>(input.TakeWord(CallPair::kBuffer));
        break;
      case 4:
        theirs.word = static_cast<uint32_t>(input.TakeWord(theirs.word));
        break;
      default:
        theirs.word = MakeCallWord(pair.client_slot(slot).generation,
                                   static_cast<uint32_t>(input.TakeUpTo(3)),
                                   static_cast<CallState>(input.TakeUpTo(7)));
        pair.server_words().look.cancels_seen = input.TakeWord(pair.client_words().look.cancelled);
    }
  }
  pair.client.Ended();
  CHECK_EQ(outcomes, posted);
  CHECK_EQ(pair.client.busy(), 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Else every input pays for the page faults of a fresh area.
  [[maybe_unused]] static const int kept = mallopt(M_MMAP_THRESHOLD, 64 << 20);
  FuzzInput input(data, size);
  CheckDecoding(std::string(reinterpret_cast<const char*>(data), size));
  (input.TakeUpTo(1) == 0 ? AttackServer : AttackClient)(input);
  return 0;
}

}  // namespace grpc_cxl::internal
