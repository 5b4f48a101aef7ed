// SPDX-License-Identifier: Apache-2.0
#include "bench/baseline/regression_set.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/probes/neighbours.h"

namespace grpc_cxl::bench {
namespace {

using Contender = RegressionSet::Contender;

const Contender kTcp = {"tcp", "kernel"}, kUnix = {"unix", "kernel"};
const Contender kDirect = {"cxl_direct", "adaptive"}, kDirectPark = {"cxl_direct", "park"};
const Contender kCxl = {"cxl", "adaptive"}, kCxlPark = {"cxl", "park"};

Case MakeCase(const std::string& api, uint32_t size_bytes, uint32_t concurrency) {
  Case what;
  what.set_api(api);
  what.set_size_bytes(size_bytes);
  what.set_concurrency(concurrency);
  what.set_payload("string");
  return what;
}

std::string NameOf(const std::string& case_name, const Contender& contender) {
  return absl::StrCat(case_name, ", ", contender.transport, " ", contender.wait);
}

}  // namespace

const std::vector<RegressionSet::CaseOfSet>& RegressionSet::Cases() {
  static const auto* const kCases = new std::vector<CaseOfSet>{
      {"sync 64 B", MakeCase("sync", 64, 1), {kDirect, kDirectPark, kCxlPark}},
      {"sync 64 KiB", MakeCase("sync", 64 << 10, 1), {kDirectPark, kCxlPark}},
      {"pingpong 64 B", MakeCase("pingpong", 64, 1), {kCxlPark}},
      {"stream 1 MiB", MakeCase("stream", 1 << 20, 1), {kCxl}},
      {"callback 64 B, 64 in flight", MakeCase("callback", 64, 64), {kDirect, kCxl}},
  };
  return *kCases;
}

absl::StatusOr<RegressionSet::Measured> RegressionSet::Measure(const CaseOfSet& what,
                                                               const Effort& effort) {
  std::vector<Contender> contenders = {kTcp, kUnix};
  contenders.insert(contenders.end(), what.contenders.begin(), what.contenders.end());
  std::vector<PairGroup*> groups;
  for (const Contender& contender : contenders) {
    const absl::StatusOr<PairGroup*> group = GroupOf(contender);
    if (!group.ok()) return group.status();
    groups.push_back(*group);
  }
  std::vector<pid_t> ours;  // includes the idle processes of earlier cases
  for (const auto& [name, group] : groups_) {
    ours.push_back(group.front()->server_pid());
    ours.push_back(group.front()->client_pid());
  }
  const Neighbours neighbours(std::move(ours));
  const absl::StatusOr<std::vector<Row>> rows = MeasureInRounds(groups, what.what, effort);
  if (!rows.ok()) return rows.status();

  Measured measured;
  measured.neighbours = neighbours.Share();
  const auto add_ratio = [&](size_t i, const char* of_what, double (Row::*figure)() const) {
    const double of_kernel = std::sqrt(((*rows)[0].*figure)() * ((*rows)[1].*figure)());
    measured.ratios.push_back({absl::StrCat(NameOf(what.name, contenders[i]), of_what),
                               ((*rows)[i].*figure)() / of_kernel});
  };
  for (size_t i = 2; i < contenders.size(); ++i) {
    add_ratio(i, "", &Row::p50_us);
    add_ratio(i, ", CPU", &Row::cpu_us_per_call);
  }
  return measured;
}

absl::StatusOr<PairGroup*> RegressionSet::GroupOf(const Contender& contender) {
  PairGroup& group = groups_[NameOf("", contender)];
  if (group.empty()) {
    auto pair = ProcessPair::Start({.transport = contender.transport, .wait = contender.wait});
    if (!pair.ok()) return pair.status();
    group.push_back(*std::move(pair));
  }
  return &group;
}

}  // namespace grpc_cxl::bench
