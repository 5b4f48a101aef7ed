// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_REPORT_HTML_PAGE_H_
#define GRPC_CXL_BENCH_REPORT_HTML_PAGE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace grpc_cxl::bench {

// Builds a self-contained HTML page, without network or scripts, light or dark as the reader's
// browser asks for.
class HtmlPage {
 public:
  explicit HtmlPage(const std::string& title);

  void Heading(const std::string& text);
  void Note(const std::string& text);
  void Chart(const std::string& svg) { body_ += svg; }
  // Plain text like that of Table.
  void Preformatted(const std::string& text);

  std::string ToString() const { return body_ + "</body></html>\n"; }

  // The colour of a transport in all charts.
  static std::string Color(absl::string_view transport);

 private:
  std::string body_;
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_REPORT_HTML_PAGE_H_
