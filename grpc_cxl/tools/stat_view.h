// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TOOLS_STAT_VIEW_H_
#define GRPC_CXL_TOOLS_STAT_VIEW_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "ftxui/component/event.hpp"
#include "ftxui/dom/elements.hpp"
#include "grpc_cxl/tools/host_status.h"
#include "grpc_cxl/tools/text_table.h"

namespace grpc_cxl::internal {

// What the terminal shows (stat_ui.h), and the keys that change it. Not thread-safe.
class StatView {
 public:
  // What the pages say, read at `now`.
  void Take(HostStatus host, absl::Time now);

  // Whether the key means something here.
  bool OnEvent(const ftxui::Event& event);

  // In `width` columns: what does not fit is marked as cut ("..").
  ftxui::Element Draw(size_t width);

 private:
  enum class Order { kName, kCalls, kBytes, kLatency, kEnd };

  static uint64_t KeyOf(const JoinedConnection& joined, Order order);
  static void AddTable(const TextTable& table, size_t width, const size_t* selected,
                       std::vector<ftxui::Element>* all);
  void AddDetail(const JoinedConnection& chosen, size_t width,
                 std::vector<ftxui::Element>* all) const;

  HostStatus totals_, rates_;
  absl::Time read_ = absl::Now();
  Order order_ = Order::kName;
  size_t selected_ = 0;
  bool open_ = false;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TOOLS_STAT_VIEW_H_
