// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/tools/figures.h"

#include <array>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace grpc_cxl::internal {
namespace {

// Three digits, and a point where there is space for one.
std::string ThreeDigits(double value) {
  return absl::StrFormat("%.*f", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value);
}

std::string Scaled(uint64_t number, double step, const char* units) {
  if (number < 1000) return absl::StrCat(number);
  auto value = static_cast<double>(number);
  size_t unit = 0;
  for (; value >= 999.5 && units[unit] != '\0'; ++unit) value /= step;
  return absl::StrCat(ThreeDigits(value), std::string(1, units[unit - 1]));
}

}  // namespace

std::string CountText(uint64_t count) { return Scaled(count, 1000, "kMGTPE"); }

std::string BytesText(uint64_t bytes) { return Scaled(bytes, 1024, "KMGTPE"); }

std::string TimeText(uint64_t ns) {
  struct Unit {
    double ns;
    const char* name;
  };
  if (ns == 0) return "-";
  constexpr std::array kUnits = {Unit{1e3, "us"}, Unit{1e6, "ms"}};
  const auto value = static_cast<double>(ns);
  for (const Unit& unit : kUnits) {
    if (value < 999.5 * unit.ns) return absl::StrCat(ThreeDigits(value / unit.ns), unit.name);
  }
  const uint64_t seconds = ns / 1'000'000'000;
  if (seconds < 10) return absl::StrFormat("%.1fs", value / 1e9);
  if (seconds < 120) return absl::StrCat(seconds, "s");
  if (seconds < 2 * 3600) return absl::StrCat(seconds / 60, "m");
  if (seconds < 48 * 3600) return absl::StrCat(seconds / 3600, "h");
  return absl::StrCat(seconds / 86400, "d");
}

}  // namespace grpc_cxl::internal
