// SPDX-License-Identifier: Apache-2.0
//
// Prints how many trips to far memory a look, a call and a message take, and what these are worth
// at each preset of GRPC_CXL_PRESET. Counted, so that any machine prints the same.

#include "bench/probes/memory_trips.h"

#include <string>
#include <vector>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/report/table.h"
#include "grpc_cxl/coherence/memory_model.h"

int main() {
  using grpc_cxl::Coherence;
  using grpc_cxl::bench::MemoryTrips;
  const std::vector<std::string> presets = {"fast_expander", "expander", "slow_expander", "switch",
                                            "pool"};
  std::vector<std::string> columns = {"", "coherence", "loads", "stores"};
  for (const std::string& preset : presets) columns.push_back(absl::StrCat(preset, " us"));
  grpc_cxl::bench::Table table(columns, 2);
  for (const Coherence coherence : {Coherence::kFlush, Coherence::kCoherent}) {
    for (const MemoryTrips& trips : grpc_cxl::bench::CountMemoryTrips(coherence)) {
      std::vector<std::string> row = {trips.of,
                                      coherence == Coherence::kFlush ? "flush" : "coherent",
                                      absl::StrCat(trips.loads), absl::StrCat(trips.stores)};
      for (const std::string& preset : presets) {
        const auto distance = grpc_cxl::internal::DistancePreset(preset);
        CHECK_OK(distance);
        row.push_back(
            absl::StrFormat("%.2f", static_cast<double>(trips.NsAt(*distance, coherence)) / 1000));
      }
      table.AddRow(row);
    }
  }
  absl::PrintF("%s", table.ToString());
}
