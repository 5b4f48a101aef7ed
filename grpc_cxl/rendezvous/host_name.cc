// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/host_name.h"

#include <algorithm>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace grpc_cxl::internal {
namespace {

constexpr absl::string_view kPrefix = "name=";

bool IsHostCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
}

}  // namespace

absl::StatusOr<ServiceName> NameOfHost(absl::string_view host) {
  const size_t colon = std::min(host.find(':'), host.size());
  const absl::string_view name = host.substr(0, colon);
  const absl::string_view digits = host.substr(std::min(colon + 1, host.size()));
  uint32_t port;
  const bool valid = !name.empty() && std::all_of(name.begin(), name.end(), IsHostCharacter) &&
                     !digits.empty() &&
                     std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit) &&
                     absl::SimpleAtoi(digits, &port) && port >= 1 && port <= 65535 &&
                     kPrefix.size() + host.size() <= ServiceName::kMaxLength;
  if (!valid) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", absl::CHexEscape(host.substr(0, 200)), "\" is no host and port such as ",
                     "payments.prod.svc:50051, with at most ",
                     ServiceName::kMaxLength - kPrefix.size(), " characters"));
  }
  return ServiceName::Reserved(absl::StrCat(kPrefix, absl::AsciiStrToLower(name), ":", port));
}

}  // namespace grpc_cxl::internal
