// SPDX-License-Identifier: Apache-2.0
// Proves that the terminal's screen shows every line of the tables, of an opened connection and of
// problems as a whole, in 80 and in 160 columns, however long names, paths and reasons are; and
// that it says where it has scrolled when there are more.
#include "grpc_cxl/tools/stat_view.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "ftxui/dom/node.hpp"
#include "ftxui/screen/screen.hpp"
#include "gmock/gmock.h"
#include "grpc_cxl/tools/status_report.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

// Everything is as long as it can be.
HostStatus Example(size_t connections) {
  HostStatus host;
  host.directory = "/" + std::string(200, 'd');
  host.problems = {"4711-9f86d081.status: the status page has version 1, but this program reads 2",
                   "cannot open " + std::string(300, 'p') + ": denied"};
  host.processes.resize(2);
  for (size_t i = 0; i < 2; ++i) {
    StatusPage& page = host.processes[i].page;
    page.process.pid = 4'000'000 + static_cast<uint32_t>(i);
    page.process.no_descriptor = page.process.too_large = UINT64_MAX;
    SetText(page.process.command, "a-long-command");
    page.networks.resize(1);
    SetText(page.networks[0].address, std::string(90, '9'));
    SetText(page.networks[0].reason, std::string(220, 'r'));
    page.network_peers.resize(1);
    SetText(page.network_peers[0].peer, "[2001:db8:1234:5678:9abc:def0:1234:5678]:50051");
    SetText(page.network_peers[0].reason, "no server has registered this address in /run/x");
    for (size_t j = 0; j < connections; ++j) {
      StatusConnection& end = page.connections.emplace_back();
      end.side = static_cast<uint32_t>(i);
      end.arena = j + 1;
      end.start_time = static_cast<uint64_t>(absl::ToUnixNanos(kNow));
      end.calls = end.outcomes[4] = end.writes = end.latency[80] = 999'499'999'999;
      SetText(end.name, absl::StrCat("shop/", std::string(70, 'n'), j));
      SetText(end.rollout, "blue-green-red");
    }
  }
  return host;
}

std::vector<std::string> Lines(StatView& view, int width, int height) {
  auto screen =
      ftxui::Screen::Create(ftxui::Dimension::Fixed(width), ftxui::Dimension::Fixed(height));
  ftxui::Render(screen, view.Draw(static_cast<size_t>(width)));
  std::vector<std::string> lines;
  for (int y = 0; y < height; ++y) {
    std::string line;
    for (int x = 0; x < width; ++x) line += screen.PixelAt(x, y).character;
    lines.push_back(line);
  }
  return lines;
}

TEST(StatViewTest, EveryLineIsThereAsAWhole) {
  const HostStatus host = Example(1);
  const auto now = static_cast<uint64_t>(absl::ToUnixNanos(kNow));
  for (const int width : {80, 160}) {
    StatView view;
    view.Take(host, kNow - absl::Seconds(1));
    view.Take(host, kNow);
    view.OnEvent(ftxui::Event::Return);
    const std::string screen = absl::StrJoin(Lines(view, width, 70), "\n");
    const size_t inside = static_cast<size_t>(width) - 1;
    for (const std::string& text :
         {NetworkTable(host).Text(inside), NetworkPeerTable(host, now).Text(inside),
          ConnectionDetail(JoinConnections(host)[0])}) {
      for (const absl::string_view line : absl::StrSplit(text, '\n')) {
        EXPECT_LE(line.size(), inside) << line;
        EXPECT_THAT(screen, HasSubstr(line));
      }
    }
    EXPECT_THAT(screen, AllOf(HasSubstr("2 processes and 1 connections through memory in"),
                              HasSubstr(".."), HasSubstr("dd, a second")));
    EXPECT_THAT(screen, AllOf(HasSubstr("program reads 2"), HasSubstr("ppp: denied")));
    EXPECT_THAT(screen, HasSubstr("Enter closes  s sorts (now by name)  q quits"));
  }
}

TEST(StatViewTest, MoreThanThereIsSpaceForIsMarked) {
  StatView view;
  view.Take(Example(50), kNow);
  for (int i = 0; i < 49; ++i) view.OnEvent(ftxui::Event::ArrowDown);
  const std::vector<std::string> lines = Lines(view, 80, 24);
  EXPECT_THAT(lines, Contains(HasSubstr("n49 "))) << "the chosen one is in sight";
  EXPECT_THAT(lines.back(), HasSubstr("q quits"));
  bool bar = false;
  for (size_t i = 0; i + 1 < lines.size(); ++i)
    bar |= static_cast<signed char>(lines[i].back()) < 0;
  EXPECT_TRUE(bar) << "a bar in the last column";
}

}  // namespace
}  // namespace grpc_cxl::internal
