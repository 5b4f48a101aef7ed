// SPDX-License-Identifier: Apache-2.0
#include "bench/report/html_page.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "bench/report/svg_chart.h"

namespace grpc_cxl::bench {
namespace {

constexpr char kHead[] = R"html(<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>TITLE</title>
<style>
:root { color-scheme: light dark; --text: #1c2330; --quiet: #55607a; --grid: #e1e5ec;
  --page: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e8f0; --quiet: #a3adc2; --grid: #333b4a; --page: #151922; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page);
  max-width: 940px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2.2em; }
pre { overflow-x: auto; font-size: 12px; line-height: 1.45; }
svg { width: 100%; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: var(--quiet); }
.grid { stroke: var(--grid); } .range { stroke: var(--text); }
.legend span { margin-right: 1.5em; white-space: nowrap; }
.legend i { display: inline-block; width: 28px; margin-right: 6px; vertical-align: middle; }
.note, .legend { color: var(--quiet); }
</style></head><body>
<h1>TITLE</h1>
)html";

}  // namespace

HtmlPage::HtmlPage(const std::string& title)
    : body_(absl::StrReplaceAll(kHead, {{"TITLE", EscapeHtml(title)}})) {}

void HtmlPage::Heading(const std::string& text) {
  absl::StrAppend(&body_, "<h2>", EscapeHtml(text), "</h2>\n");
}

void HtmlPage::Note(const std::string& text) {
  absl::StrAppend(&body_, "<p class=\"note\">", EscapeHtml(text), "</p>\n");
}

void HtmlPage::Preformatted(const std::string& text) {
  absl::StrAppend(&body_, "<pre>", EscapeHtml(text), "</pre>\n");
}

std::string HtmlPage::Color(absl::string_view transport) {
  if (transport == "tcp") return "#e8590c";
  if (transport == "unix") return "#0ca678";
  if (transport == "cxl") return "#3b82f6";
  if (transport == "cxl_direct") return "#b04ef0";
  return "#868e96";
}

}  // namespace grpc_cxl::bench
