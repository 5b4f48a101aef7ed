// SPDX-License-Identifier: Apache-2.0
#include "bench/compare/comparison_report.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "bench/compare/session.h"
#include "bench/compare/strip_chart.h"
#include "bench/report/html_page.h"
#include "bench/report/table.h"

namespace grpc_cxl::bench {
namespace {

std::string High(const ComparedFigure& figure) {
  return figure.has_high() ? absl::StrFormat("%.3f", figure.high()) : "?";
}

}  // namespace

std::string ComparisonAsTable(const Comparison& comparison) {
  Table table({"case", "figure", "A", "B", "B / A", "at least", "at most", "pairs", "verdict"}, 2);
  for (const ComparedFigure& figure : comparison.figures()) {
    const auto value = [&](double of) { return absl::StrFormat("%.2f %s", of, figure.unit()); };
    table.AddRow({figure.case_name(), figure.figure(), value(figure.median_a()),
                  value(figure.median_b()), absl::StrFormat("%.3f", figure.ratio()),
                  absl::StrFormat("%.3f", figure.low()), High(figure),
                  absl::StrCat(figure.a_size()), figure.verdict()});
  }
  std::string text = table.ToString();
  for (const SkippedCase& skipped : comparison.skipped()) {
    absl::StrAppend(&text, skipped.case_name(), ": skipped, A cannot run it: ", skipped.why(),
                    "\n");
  }
  return text;
}

std::string VerdictInWords(const Comparison& comparison) {
  const std::string by = absl::StrFormat("%.0f %%", 100 * (comparison.limit() - 1));
  const std::string confidence = absl::StrFormat("%.0f %%", 100 * comparison.confidence());
  std::set<std::string> cases;
  for (const ComparedFigure& figure : comparison.figures()) {
    const bool slower = figure.verdict() == kSlowerFigure;
    if (slower == (comparison.verdict() == kRegression) && figure.verdict() != "ok") {
      cases.insert(figure.case_name());
    }
  }
  const std::string names = absl::StrJoin(cases, "; ");
  if (comparison.verdict() == kRegression) {
    return absl::StrCat("REGRESSION of more than ", by, ", with ", confidence,
                        " confidence: ", names, ".");
  }
  if (comparison.verdict() == kTooNoisy) {
    return absl::StrCat("Too noisy to tell: ", names,
                        ". Run it when nothing else runs here, or longer, with --minutes.");
  }
  return absl::StrCat("No regression of more than ", by, ", with ", confidence, " confidence.");
}

std::string ComparisonAsHtml(const Comparison& comparison) {
  HtmlPage page("Regression check");
  page.Note(VerdictInWords(comparison));
  page.Note(absl::StrFormat("A: %s %.12s %s. B: the new build. %s", comparison.revision(),
                            comparison.commit(), comparison.title(), comparison.machine()));
  page.Preformatted(ComparisonAsTable(comparison));
  for (const ComparedFigure& figure : comparison.figures()) {
    page.Heading(
        absl::StrFormat("%s, %s: %s", figure.case_name(), figure.figure(), figure.verdict()));
    StripChart chart{
        absl::StrFormat("%s %s; B / A %.3f, at least %.3f, at most %s", figure.figure(),
                        figure.unit(), figure.ratio(), figure.low(), High(figure)),
        {}};
    chart.strips.push_back(
        {"A", HtmlPage::Color("tcp"), {figure.a().begin(), figure.a().end()}, figure.median_a()});
    chart.strips.push_back(
        {"B", HtmlPage::Color("cxl"), {figure.b().begin(), figure.b().end()}, figure.median_b()});
    page.Chart(chart.ToString());
  }
  return page.ToString();
}

}  // namespace grpc_cxl::bench
