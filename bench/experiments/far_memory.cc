// SPDX-License-Identifier: Apache-2.0
#include "bench/experiments/far_memory.h"

#include <cstdio>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "bench/report/table.h"
#include "bench/roles/measure.h"
#include "grpc_cxl/coherence/memory_model.h"

namespace grpc_cxl::bench {

absl::StatusOr<std::vector<ProcessPairOptions>> OnEachMemory(
    absl::Span<const ProcessPairOptions> contenders, const std::vector<std::string>& presets,
    const std::vector<std::string>& coherences) {
  for (const std::string& preset : presets) {
    const absl::StatusOr<MemoryDistance> distance = internal::DistancePreset(preset);
    if (!distance.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--cxl_preset: ", distance.status().message()));
    }
  }
  for (const std::string& coherence : coherences) {
    if (coherence != "coherent" && coherence != "flush") {
      return absl::InvalidArgumentError(absl::StrCat("There is no --cxl_coherence=", coherence,
                                                     "; there are coherent and flush."));
    }
  }
  std::vector<ProcessPairOptions> pairs;
  for (const ProcessPairOptions& contender : contenders) {
    if (!absl::StartsWith(contender.transport, "cxl")) {
      pairs.push_back(contender);
      continue;
    }
    for (const std::string& coherence : coherences) {
      for (const std::string& preset : presets) {
        ProcessPairOptions& pair = pairs.emplace_back(contender);
        pair.cxl_preset = preset;
        pair.cxl_coherence = coherence;
      }
    }
  }
  return pairs;
}

absl::Status MeasureFarMemory(absl::Span<const ProcessPairOptions> pairs,
                              absl::Span<const Case> cases, const Effort& effort) {
  std::vector<std::unique_ptr<ProcessPair>> running;
  for (const ProcessPairOptions& options : pairs) {
    absl::StatusOr<std::unique_ptr<ProcessPair>> pair = ProcessPair::Start(options);
    if (!pair.ok()) return pair.status();
    running.push_back(*std::move(pair));
  }
  for (const Case& what : cases) {
    Request request;
    *request.mutable_round()->mutable_what() = what;
    request.mutable_round()->set_seconds(effort.seconds);
    request.mutable_round()->set_calls(effort.calls);
    const absl::Duration timeout = absl::Seconds(2 * effort.seconds) + absl::Seconds(60) +
                                   absl::Milliseconds(100) * effort.calls;
    std::vector<std::vector<double>> p50(pairs.size()), mean(pairs.size()), memory(pairs.size());
    for (int round = 0; round < effort.rounds; ++round) {
      for (size_t i = 0; i < pairs.size(); ++i) {
        const absl::StatusOr<Reply> reply = running[i]->Ask(request, timeout);
        if (!reply.ok()) return reply.status();
        const RoundResult& result = reply->round_result();
        p50[i].push_back(result.p50_us());
        mean[i].push_back(1e6 * what.concurrency() / result.calls_per_s());
        memory[i].push_back(result.memory_us_per_call());
      }
    }
    Table table({"transport", "memory", "coherence", "p50 us", "mean us", "memory us", "share"}, 3);
    for (size_t i = 0; i < pairs.size(); ++i) {
      const double mean_us = Median(mean[i]), memory_us = Median(memory[i]);
      table.AddRow({pairs[i].transport, pairs[i].cxl_preset, pairs[i].cxl_coherence,
                    absl::StrFormat("%.1f", Median(p50[i])), absl::StrFormat("%.1f", mean_us),
                    absl::StrFormat("%.1f", memory_us),
                    absl::StrFormat("%.0f%%", 100 * memory_us / mean_us)});
    }
    absl::PrintF("\n%s, %d bytes as %s, %d in flight\n%s", what.api(), what.size_bytes(),
                 what.payload(), what.concurrency(), table.ToString());
    std::fflush(stdout);
  }
  return absl::OkStatus();
}

}  // namespace grpc_cxl::bench
