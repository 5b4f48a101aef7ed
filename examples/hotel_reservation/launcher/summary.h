// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_SUMMARY_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_SUMMARY_H_

#include <string>
#include <vector>

#include "examples/hotel_reservation/load_generator/result.pb.h"

namespace hotel_reservation {

// The table of the terminal and the HTML report.
struct SummaryCell {
  std::string text;             // the median
  std::string lowest, highest;  // of the passes
  bool claimed = false;         // a ratio that the noise does not reach
};
struct SummaryRow {
  std::string transport;
  std::vector<SummaryCell> cells;
};
std::vector<std::string> SummaryTitles(const Report& report);
std::vector<SummaryRow> SummaryRows(const Report& report);

// The effect of the killed service on its callers, a sentence per transport.
std::vector<std::string> KillSentences(const Report& report);

// The machine and the build in one line.
std::string MachineLine(const Report& report);

// How the figures were found, in a few sentences.
std::string Method(const Report& report);

// The table as plain text, with the meaning of its columns.
std::string SummaryText(const Report& report);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_SUMMARY_H_
