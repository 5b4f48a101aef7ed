// SPDX-License-Identifier: Apache-2.0
// Proves that all metrics have names by Prometheus' rules, that no series comes twice, whatever the
// pages say, and that histograms and labels are right.
#include "grpc_cxl/tools/prometheus_metrics.h"

#include <fstream>
#include <regex>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "prometheus/text_serializer.h"

namespace grpc_cxl::internal {
namespace {

using prometheus::MetricType;
using ::testing::HasSubstr;

HostStatus Example() {
  HostStatus host;
  host.processes.resize(1);
  ProcessStatus& process = host.processes[0];
  process.file = "4711-9f86d081.status";
  StatusPage& page = process.page;
  page.process.pid = 4711;
  SetText(page.process.command, "pay\"ments");
  page.process.direct = 10;
  page.process.not_taken = 1;
  page.threads.resize(2);
  page.names.resize(2);
  SetText(page.names[0].name, "tcp=any=50051=net4-1");
  SetText(page.names[1].name, "tcp=any=50051=net4-2");  // looks the same
  page.connections.resize(3);
  for (StatusConnection& connection : page.connections) {
    connection.side = 1;
    connection.arena = 7;  // twice the same
    connection.latency[0] = 3;
    connection.latency[6] = 2;
    connection.latency[kLatencyBuckets - 1] = 1;
    connection.latency_sum = 1'500'000'000;
  }
  page.connections[2].side = 0;
  page.connections[2].outcomes[4] = 5;
  page.process.one_way = 8;
  page.network_peers.resize(2);
  return host;
}

TEST(PrometheusMetricsTest, FollowTheRules) {
  const std::regex name_rule("grpc_cxl_[a-z_]+");
  for (const auto& family : PrometheusMetrics(Example())) {
    EXPECT_TRUE(std::regex_match(family.name, name_rule)) << family.name;
    EXPECT_EQ(family.type == MetricType::Counter, family.name.ends_with("_total")) << family.name;
    EXPECT_THAT(family.help, testing::EndsWith(".")) << family.name;
    std::set<std::vector<prometheus::ClientMetric::Label>> series;
    for (const auto& metric : family.metric) {
      EXPECT_TRUE(series.insert(metric.label).second) << family.name;
    }
  }
}

TEST(PrometheusMetricsTest, AreWhatThePagesSay) {
  const std::string text = prometheus::TextSerializer().Serialize(PrometheusMetrics(Example()));
  const std::string process = "{command=\"pay\\\"ments\",pid=\"4711\",page=\"4711-9f86d081\"";
  EXPECT_THAT(text, HasSubstr("grpc_cxl_unary_calls_total" + process + ",outcome=\"direct\"} 9\n"));
  EXPECT_THAT(text, HasSubstr(",name=\"*:50051\",rollout=\"\"} 0\n"));
  const std::string client = process + ",name=\"\",side=\"client\",rollout=\"\",connection=\"7\"";
  EXPECT_THAT(text, HasSubstr("grpc_cxl_call_duration_seconds_sum" + client + "} 1.5\n"));
  EXPECT_THAT(
      text, HasSubstr("grpc_cxl_call_duration_seconds_bucket" + client + ",le=\"1.024e-06\"} 3\n"));
  EXPECT_THAT(text,
              HasSubstr("grpc_cxl_call_duration_seconds_bucket" + client + ",le=\"+Inf\"} 6\n"));
  const std::string server = process + ",name=\"\",side=\"server\",rollout=\"\",connection=\"7\"";
  EXPECT_THAT(text, HasSubstr("grpc_cxl_served_call_duration_seconds_sum" + server + "} 1.5\n"));
  EXPECT_THAT(text, HasSubstr("grpc_cxl_connection_direct_call_ends_total" + server +
                              ",status=\"DEADLINE_EXCEEDED\"} 5\n"));
  EXPECT_THAT(text,
              HasSubstr("grpc_cxl_one_way_calls_total" + process + ",outcome=\"returned\"} 8"));
  EXPECT_THAT(text, HasSubstr("grpc_cxl_network_connections" + process + "} 2\n"));
}

// How many metrics `text` asks for, all of which must be there.
int CountMetrics(const std::string& text) {
  std::set<std::string> names;
  for (const auto& family : PrometheusMetrics(Example())) names.insert(family.name);
  const std::regex metric("grpc_cxl_[a-z_]+");
  int found = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), metric), end; it != end; ++it) {
    std::string name = it->str();
    if (name.ends_with("_bucket")) name.resize(name.size() - 7);
    EXPECT_TRUE(names.contains(name)) << name;
    ++found;
  }
  return found;
}

TEST(PrometheusMetricsTest, GrafanasDashboardKnowsThem) {
  std::ifstream file("deploy/grafana/grpc_cxl.json");
  EXPECT_GT(CountMetrics(nlohmann::json::parse(file).dump()), 10);
}

TEST(PrometheusMetricsTest, AlertsKnowThem) {
  std::ifstream file("deploy/prometheus/alerts.yaml");
  int found = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.find("expr: ") != std::string::npos) found += CountMetrics(line);
  }
  EXPECT_GE(found, 5);
}

}  // namespace
}  // namespace grpc_cxl::internal
