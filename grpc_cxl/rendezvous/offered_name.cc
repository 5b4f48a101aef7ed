// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/offered_name.h"

#include <sys/random.h>

#include <algorithm>
#include <string>

#include "absl/log/check.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kBytes = 16;

}  // namespace

ServiceName NewOfferedName() {
  std::string random(kBytes, '\0');
  PCHECK(getrandom(random.data(), random.size(), 0) == static_cast<ssize_t>(random.size()));
  return ServiceName::Reserved(absl::StrCat(kOfferedPrefix, absl::BytesToHexString(random)));
}

bool IsOfferedName(absl::string_view name) {
  return absl::ConsumePrefix(&name, kOfferedPrefix) && name.size() == 2 * kBytes &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace grpc_cxl::internal
