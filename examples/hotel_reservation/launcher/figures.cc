// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/launcher/figures.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace hotel_reservation {
namespace {

constexpr int kFewestPasses = 2, kWantedPasses = 3;
constexpr double kEnough = kNoiseLimit / 2;

// p50 of the searches, which are 60 % of the requests and have the longest chain of calls.
double SearchP50(const LoadResult& result) {
  for (const KindResult& kind : result.kinds()) {
    if (kind.kind() == "search") return kind.p50_ms();
  }
  return 0;
}

struct Column {
  const char* name;
  double (*value)(const Pass& pass);
  bool compared = false;  // with tcp
  int digits = 2;
};

constexpr Column kColumns[] = {
    {"p50 ms", [](const Pass& pass) { return pass.same_load().p50_ms(); }},
    {"p99 ms", [](const Pass& pass) { return pass.same_load().p99_ms(); }},
    {"p99.9 ms", [](const Pass& pass) { return pass.same_load().p999_ms(); }},
    {"search p50", [](const Pass& pass) { return SearchP50(pass.same_load()); }, true},
    {"CPU us", [](const Pass& pass) { return pass.same_load().services_cpu_us_per_request(); },
     true, 0},
    {"RPCs/request", [](const Pass& pass) { return pass.same_load().rpcs_per_request(); }},
    {"errors", [](const Pass& pass) { return double(pass.same_load().errors()); }, false, 0},
    {kMostServed, [](const Pass& pass) { return pass.most_served_per_s(); }, true, 0},
};

const TransportReport* Tcp(const Report& report) {
  for (const TransportReport& transport : report.transports()) {
    if (transport.transport() == "tcp") return &transport;
  }
  return nullptr;
}

Spread MostServed(const TransportReport& transport) {
  std::vector<double> values;
  for (const Pass& pass : transport.passes()) values.push_back(pass.most_served_per_s());
  return SpreadOf(std::move(values));
}

Figure MakeFigure(const Column& column, const TransportReport& transport,
                  const TransportReport* tcp) {
  std::vector<double> values, ratios;
  for (int pass = 0; pass < transport.passes_size(); ++pass) {
    values.push_back(column.value(transport.passes(pass)));
    if (!column.compared || tcp == nullptr) continue;
    const double base = column.value(tcp->passes(pass));
    if (base > 0 && values.back() > 0) ratios.push_back(values.back() / base);
  }
  Figure figure;
  figure.set_name(column.name);
  figure.set_digits(column.digits);
  figure.set_compared(column.compared);
  *figure.mutable_value() = SpreadOf(std::move(values));
  if (!ratios.empty()) *figure.mutable_to_tcp() = SpreadOf(std::move(ratios));
  return figure;
}

}  // namespace

Spread SpreadOf(std::vector<double> values) {
  Spread spread;
  if (values.empty()) return spread;
  std::sort(values.begin(), values.end());
  const size_t last = values.size() - 1, left_out = values.size() >= kPassesToTrim ? 1 : 0;
  spread.set_median((values[last / 2] + values[last - last / 2]) / 2);
  spread.set_lowest(values[left_out]);
  spread.set_highest(values[last - left_out]);
  return spread;
}

bool Agrees(const Spread& spread, double share) {
  return spread.lowest() > 0 && spread.highest() <= spread.lowest() * (1 + share);
}

bool AnotherPass(const Report& report, double elapsed_s, double pass_s, double limit_s) {
  bool enough = true;
  for (const TransportReport& transport : report.transports()) {
    if (transport.passes_size() < kFewestPasses) return true;
    enough = enough && transport.passes_size() >= kWantedPasses &&
             Agrees(MostServed(transport), kEnough);
  }
  return !enough && elapsed_s + pass_s <= limit_s;
}

void AddFigures(Report& report) {
  const TransportReport* const tcp = Tcp(report);
  for (TransportReport& transport : *report.mutable_transports()) {
    for (const Column& column : kColumns) {
      *transport.add_figures() = MakeFigure(column, transport, tcp);
    }
    std::vector<const LoadResult*> runs;
    for (const Pass& pass : transport.passes()) runs.push_back(&pass.same_load());
    std::sort(runs.begin(), runs.end(),
              [](const LoadResult* a, const LoadResult* b) { return a->p50_ms() < b->p50_ms(); });
    if (!runs.empty()) *transport.mutable_same_load() = *runs[(runs.size() - 1) / 2];

    const Spread most = MostServed(transport);
    transport.set_too_busy(transport.passes_size() < kWantedPasses || !Agrees(most, kNoiseLimit) ||
                           report.others_cpu_share() > kNoiseLimit);
    if (!transport.too_busy()) continue;
    report.add_too_busy(absl::StrFormat(
        "this machine is too busy to tell: most served of %s lay between %.0f and %.0f in %d "
        "passes",
        transport.transport(), most.lowest(), most.highest(), transport.passes_size()));
  }
}

}  // namespace hotel_reservation
