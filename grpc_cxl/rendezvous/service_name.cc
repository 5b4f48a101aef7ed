// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/service_name.h"

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace grpc_cxl::internal {
namespace {

absl::Status Malformed(absl::string_view what, absl::string_view given, absl::string_view why) {
  // `given` may have any length and any bytes.
  return absl::InvalidArgumentError(absl::StrCat(what, " \"",
                                                 absl::CHexEscape(given.substr(0, 200)),
                                                 given.size() > 200 ? "..." : "", "\" ", why));
}

bool IsNameCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
}

}  // namespace

absl::StatusOr<ServiceName> ServiceName::Parse(absl::string_view name) {
  constexpr absl::string_view kWhat = "the service name";
  if (name.empty()) {
    return Malformed(kWhat, name, "is empty; a name is for example payments or shop/payments");
  }
  if (name.size() > kMaxLength) {
    return Malformed(
        kWhat, name,
        absl::StrCat("has ", name.size(), " characters; at most ", kMaxLength, " are allowed"));
  }
  for (absl::string_view part : absl::StrSplit(name, '/')) {
    if (part.empty()) {
      return Malformed(kWhat, name, "has an empty part: a `/` stands only between two parts");
    }
    if (part == "." || part == "..") {
      return Malformed(kWhat, name, absl::StrCat("has the part \"", part, "\", which is reserved"));
    }
    for (char c : part) {
      if (IsNameCharacter(c)) continue;
      return Malformed(kWhat, name,
                       absl::StrCat("has the character \"", absl::CHexEscape({&c, 1}),
                                    "\"; only letters, digits and . _ - are allowed, and / "
                                    "between parts"));
    }
  }
  return ServiceName(std::string(name));
}

bool ServiceName::IsTarget(absl::string_view target) {
  return absl::StartsWithIgnoreCase(target, kScheme);
}

absl::StatusOr<ServiceName> ServiceName::FromTarget(absl::string_view target) {
  if (!IsTarget(target)) {
    return Malformed("the target", target, "does not begin with \"cxl:\", as cxl:///payments does");
  }
  absl::string_view rest = target.substr(kScheme.size());
  rest = rest.substr(0, rest.find_first_of("?#"));
  if (absl::ConsumePrefix(&rest, "//") && !rest.empty() && rest.front() != '/') {
    return Malformed("the target", target,
                     "names a host, but both ends are on one host: leave it out, as in "
                     "cxl:///payments, with three slashes");
  }
  absl::ConsumePrefix(&rest, "/");
  return Parse(rest);
}

std::string ServiceName::FileStem() const { return absl::StrReplaceAll(name_, {{"/", "+"}}); }

}  // namespace grpc_cxl::internal
