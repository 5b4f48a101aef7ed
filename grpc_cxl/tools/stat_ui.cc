// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/tools/stat_ui.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "ftxui/component/component.hpp"
#include "ftxui/component/event.hpp"
#include "ftxui/component/screen_interactive.hpp"
#include "ftxui/dom/elements.hpp"
#include "ftxui/screen/terminal.hpp"
#include "grpc_cxl/tools/host_status.h"
#include "grpc_cxl/tools/status_rates.h"
#include "grpc_cxl/tools/status_report.h"

namespace grpc_cxl::internal {
namespace {

using ftxui::Element;
using ftxui::Event;

enum class Order { kName, kCalls, kBytes, kLatency, kEnd };
constexpr const char* kOrders[] = {"name", "calls", "bytes", "p99"};

uint64_t KeyOf(const JoinedConnection& joined, Order order) {
  switch (order) {
    case Order::kCalls:
      return joined.any().calls;
    case Order::kBytes:
      return joined.bytes_to_server() + joined.bytes_to_client();
    case Order::kLatency:
      return LatencyQuantile(joined.any(), 0.99);
    default:
      return 0;
  }
}

class View {
 public:
  explicit View(const DirectoryCandidates& candidates) : candidates_(candidates) {}

  void Refresh() {
    const absl::Time now = absl::Now();
    const auto directory = RendezvousDirectory::Find(candidates_);
    HostStatus host;
    if (directory.ok()) {
      host = ReadHostStatus(*directory);
    } else {
      host.problems.emplace_back(directory.status().message());
    }
    rates_ = RatesSince(totals_, host, absl::ToDoubleSeconds(now - read_));
    totals_ = std::move(host);
    read_ = now;
  }

  bool OnEvent(const Event& event) {
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

  Element Draw() {
    const auto width = static_cast<size_t>(ftxui::Terminal::Size().dimx);
    std::vector<JoinedConnection> connections = JoinConnections(rates_);
    std::stable_sort(connections.begin(), connections.end(), [this](const auto& a, const auto& b) {
      return KeyOf(a, order_) > KeyOf(b, order_);
    });
    selected_ = std::min(selected_, connections.empty() ? 0 : connections.size() - 1);
    std::vector<Element> all = {ftxui::text(
        absl::StrCat(totals_.processes.size(), " processes and ", connections.size(),
                     " connections through memory in ", totals_.directory, ", a second"))};
    AddTable(ProcessTable(rates_), width, nullptr, &all);
    if (!connections.empty()) {
      AddTable(ConnectionTable(connections, static_cast<uint64_t>(absl::ToUnixNanos(read_))), width,
               &selected_, &all);
      if (open_) AddDetail(connections[selected_], &all);
    }
    if (NetworkTable(totals_).rows() > 0) AddTable(NetworkTable(totals_), width, nullptr, &all);
    for (const std::string& problem : totals_.problems) all.push_back(ftxui::paragraph(problem));
    const std::string keys =
        absl::StrCat("up/down choose  Enter ", open_ ? "closes" : "opens", "  s sorts (now by ",
                     kOrders[static_cast<int>(order_)], ")  q quits");
    return ftxui::vbox({ftxui::vbox(std::move(all)) | ftxui::yframe | ftxui::flex,
                        ftxui::text(keys) | ftxui::inverted});
  }

 private:
  static void AddTable(const TextTable& table, size_t width, const size_t* selected,
                       std::vector<Element>* all) {
    all->push_back(ftxui::text(""));
    const std::vector<std::string> lines =
        absl::StrSplit(table.Text(width), '\n', absl::SkipEmpty());
    for (size_t i = 0; i < lines.size(); ++i) {
      Element line = ftxui::text(lines[i]);
      if (i == 0) line = line | ftxui::bold;
      if (selected != nullptr && i == *selected + 1) line = line | ftxui::inverted | ftxui::focus;
      all->push_back(std::move(line));
    }
  }

  // All figures of a connection since it was made, of both ends.
  void AddDetail(const JoinedConnection& chosen, std::vector<Element>* all) const {
    for (const JoinedConnection& joined : JoinConnections(totals_)) {
      if (joined.any().arena != chosen.any().arena ||
          joined.any().start_time != chosen.any().start_time) {
        continue;
      }
      all->push_back(ftxui::text(""));
      const std::vector<std::string> lines =
          absl::StrSplit(ConnectionDetail(joined), '\n', absl::SkipEmpty());
      for (const std::string& line : lines) all->push_back(ftxui::text(line));
      return;
    }
  }

  const DirectoryCandidates candidates_;
  HostStatus totals_, rates_;
  absl::Time read_ = absl::Now();
  Order order_ = Order::kName;
  size_t selected_ = 0;
  bool open_ = false;
};

}  // namespace

void ShowInTerminal(const DirectoryCandidates& directory) {
  View view(directory);
  view.Refresh();
  auto screen = ftxui::ScreenInteractive::Fullscreen();
  auto component =
      ftxui::CatchEvent(ftxui::Renderer([&view] { return view.Draw(); }), [&](const Event& event) {
        if (event == Event::Character('q')) screen.Exit();
        if (event != Event::Custom) return view.OnEvent(event);
        view.Refresh();
        return true;
      });
  std::atomic<bool> ended{false};  // relaxed, both: a flag by itself
  std::thread clock([&] {
    while (!ended.load(std::memory_order_relaxed)) {
      for (int i = 0; i < 10 && !ended.load(std::memory_order_relaxed); ++i) {
        absl::SleepFor(absl::Milliseconds(100));
      }
      screen.PostEvent(Event::Custom);
    }
  });
  screen.Loop(component);
  ended.store(true, std::memory_order_relaxed);
  clock.join();
}

}  // namespace grpc_cxl::internal
