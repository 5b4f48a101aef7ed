// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/tools/stat_view.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "grpc_cxl/tools/status_rates.h"
#include "grpc_cxl/tools/status_report.h"

namespace grpc_cxl::internal {
namespace {

using ftxui::Element;
using ftxui::Event;

constexpr const char* kOrders[] = {"name", "calls", "bytes", "p99"};

}  // namespace

uint64_t StatView::KeyOf(const JoinedConnection& joined, Order order) {
  switch (order) {
    case Order::kCalls:
      return joined.any().calls;
    case Order::kBytes:
      return joined.bytes_to_server() + joined.bytes_to_client();
    case Order::kLatency:
      return LatencyQuantile(joined.client, 0.99);
    default:
      return 0;
  }
}

void StatView::Take(HostStatus host, absl::Time now) {
  rates_ = RatesSince(totals_, host, absl::ToDoubleSeconds(now - read_));
  totals_ = std::move(host);
  read_ = now;
}

bool StatView::OnEvent(const Event& event) {
  if (event == Event::ArrowDown || event == Event::Character('j')) {
    ++selected_;
  } else if (event == Event::ArrowUp || event == Event::Character('k')) {
    selected_ -= selected_ > 0;
  } else if (event == Event::Return) {
    open_ = !open_;
  } else if (event == Event::Escape) {
    open_ = false;
  } else if (event == Event::Character('s')) {
    order_ = static_cast<Order>((static_cast<int>(order_) + 1) % static_cast<int>(Order::kEnd));
  } else {
    return false;
  }
  return true;
}

Element StatView::Draw(size_t width) {
  const size_t inside =
      std::max<size_t>(width, 2) - 1;  // the last column tells where one has scrolled
  const auto now = static_cast<uint64_t>(absl::ToUnixNanos(read_));
  std::vector<JoinedConnection> connections = JoinConnections(rates_);
  std::stable_sort(connections.begin(), connections.end(), [this](const auto& a, const auto& b) {
    return KeyOf(a, order_) > KeyOf(b, order_);
  });
  selected_ = std::min(selected_, connections.empty() ? 0 : connections.size() - 1);
  const std::string begin = absl::StrCat(totals_.processes.size(), " processes and ",
                                         connections.size(), " connections through memory in ");
  const std::string end = ", a second";
  const size_t rest = std::max(inside, begin.size() + end.size()) - begin.size() - end.size();
  const std::string title = absl::StrCat(begin, Shortened(totals_.directory, rest), end);
  std::vector<Element> all = {ftxui::text(Shortened(title, inside))};
  AddTable(ProcessTable(rates_), inside, nullptr, &all);
  if (!connections.empty()) {
    AddTable(ConnectionTable(connections, now), inside, &selected_, &all);
    if (open_) AddDetail(connections[selected_], inside, &all);
  }
  for (const TextTable& table : {NetworkTable(totals_), NetworkPeerTable(totals_, now)}) {
    if (table.rows() > 0) AddTable(table, inside, nullptr, &all);
  }
  for (const std::string& problem : totals_.problems) {
    for (const std::string& line : Wrapped(problem, inside)) all.push_back(ftxui::text(line));
  }
  const std::string keys =
      absl::StrCat("up/down choose  Enter ", open_ ? "closes" : "opens", "  s sorts (now by ",
                   kOrders[static_cast<int>(order_)], ")  q quits");
  return ftxui::vbox(
      {ftxui::vbox(std::move(all)) | ftxui::vscroll_indicator | ftxui::yframe | ftxui::flex,
       ftxui::text(Shortened(keys, width)) | ftxui::inverted});
}

void StatView::AddTable(const TextTable& table, size_t width, const size_t* selected,
                        std::vector<Element>* all) {
  all->push_back(ftxui::text(""));
  const std::vector<std::string> lines = absl::StrSplit(table.Text(width), '\n', absl::SkipEmpty());
  for (size_t i = 0; i < lines.size(); ++i) {
    Element line = ftxui::text(lines[i]);
    if (i == 0) line = line | ftxui::bold;
    if (selected != nullptr && i == *selected + 1) line = line | ftxui::inverted | ftxui::focus;
    all->push_back(std::move(line));
  }
}

// All figures of a connection since it was made, of both ends.
void StatView::AddDetail(const JoinedConnection& chosen, size_t width,
                         std::vector<Element>* all) const {
  for (const JoinedConnection& joined : JoinConnections(totals_)) {
    if (joined.any().arena != chosen.any().arena ||
        joined.any().start_time != chosen.any().start_time) {
      continue;
    }
    all->push_back(ftxui::text(""));
    const std::vector<std::string> lines =
        absl::StrSplit(ConnectionDetail(joined), '\n', absl::SkipEmpty());
    for (const std::string& line : lines) all->push_back(ftxui::text(Shortened(line, width)));
    return;
  }
}

}  // namespace grpc_cxl::internal
