// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/tools/stat_ui.h"

#include <atomic>
#include <cstddef>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "ftxui/component/component.hpp"
#include "ftxui/component/event.hpp"
#include "ftxui/component/screen_interactive.hpp"
#include "ftxui/screen/terminal.hpp"
#include "grpc_cxl/tools/host_status.h"
#include "grpc_cxl/tools/stat_view.h"

namespace grpc_cxl::internal {

using ftxui::Event;

void ShowInTerminal(const DirectoryCandidates& candidates) {
  StatView view;
  const auto refresh = [&] {
    const auto directory = RendezvousDirectory::Find(candidates);
    HostStatus host;
    if (directory.ok()) {
      host = ReadHostStatus(*directory);
    } else {
      host.problems.emplace_back(directory.status().message());
    }
    view.Take(std::move(host), absl::Now());
  };
  refresh();
  auto screen = ftxui::ScreenInteractive::Fullscreen();
  const auto draw = [&view] {
    return view.Draw(static_cast<size_t>(ftxui::Terminal::Size().dimx));
  };
  auto component = ftxui::CatchEvent(ftxui::Renderer(draw), [&](const Event& event) {
    if (event == Event::Character('q')) screen.Exit();
    if (event != Event::Custom) return view.OnEvent(event);
    refresh();
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
