// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/services/address_book.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <system_error>

#include "absl/log/check.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace hotel_reservation {
namespace {

constexpr int kLastPort = 65535;

bool HasPorts(absl::string_view transport) { return transport == "tcp" || transport == "auto"; }

// Of "7100" and "hotel-:7100".
absl::string_view HostPrefix(absl::string_view base) {
  return base.substr(0, base.find(':') == base.npos ? 0 : base.find(':'));
}
absl::string_view FirstPort(absl::string_view base) {
  return absl::StripPrefix(base.substr(HostPrefix(base).size()), ":");
}

absl::StatusOr<std::string> DefaultFolder() {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
  if (error) {
    return absl::FailedPreconditionError(
        absl::StrCat("No temporary folder: set TMPDIR to one (", error.message(), ")."));
  }
  const std::string folder = parent / absl::StrCat("hotel_reservation-", getuid());
  struct stat found;
  // In the folder of another user, that user could answer in place of our services.
  if ((mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) || lstat(folder.c_str(), &found) != 0 ||
      !S_ISDIR(found.st_mode) || found.st_uid != getuid()) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder, " is not a folder of our own: name another with --base=FOLDER."));
  }
  return folder;
}

}  // namespace

absl::StatusOr<AddressBook> AddressBook::Make(absl::string_view transport, absl::string_view base) {
  if (HasPorts(transport)) {
    int port = 0;
    const int last = kLastPort - static_cast<int>(std::size(kServices)) + 1;
    if (base.empty()) base = "7100";
    const absl::string_view prefix = HostPrefix(base);
    const bool usable = std::all_of(prefix.begin(), prefix.end(), [](unsigned char c) {
      return absl::ascii_isalnum(c) || c == '-' || c == '.';
    });
    if (!absl::SimpleAtoi(FirstPort(base), &port) || port < 1 || port > last || !usable) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--base=", base, " is no port from 1 to ", last, " (7100), nor the beginning of hosts' ",
          "names and such a port (hotel-:7100), as --transport=", transport, " needs."));
    }
    return AddressBook(std::string(transport), std::string(base));
  }
  if (transport == "unix") {
    if (base.empty()) {
      const absl::StatusOr<std::string> folder = DefaultFolder();
      if (!folder.ok()) return folder.status();
      return AddressBook("unix", *folder);
    }
    std::error_code ignored;
    // 107 bytes is the longest path of a unix socket, "/recommendation" the longest name.
    if (!std::filesystem::is_directory(std::string(base), ignored) || base.size() > 107 - 15) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--base=", base, " is no folder with a path of at most 92 bytes, as --transport=unix ",
          "needs."));
    }
    return AddressBook("unix", std::string(base));
  }
  if (transport == "cxl") {
    if (base.empty()) base = "hotel";
    const bool usable = std::all_of(base.begin(), base.end(), [](unsigned char c) {
      return absl::ascii_isalnum(c) || c == '-' || c == '_';
    });
    if (!usable || base.size() > 40) {
      return absl::InvalidArgumentError(
          absl::StrCat("--base=", base, " is not of at most 40 letters, digits, - and _, as ",
                       "--transport=cxl needs."));
    }
    return AddressBook("cxl", std::string(base));
  }
  return absl::InvalidArgumentError(absl::StrCat("There is no --transport=", transport,
                                                 "; there are ", absl::StrJoin(kTransports, ", "),
                                                 "."));
}

std::string AddressBook::AddressOf(absl::string_view service) const {
  CHECK(std::find(std::begin(kServices), std::end(kServices), service) != std::end(kServices))
      << service;
  if (HasPorts(transport_)) {
    const absl::string_view prefix = HostPrefix(base_);
    return prefix.empty() ? absl::StrCat("127.0.0.1:", PortOf(service))
                          : absl::StrCat("dns:///", prefix, service, ":", PortOf(service));
  }
  if (transport_ == "unix") return absl::StrCat("unix:", base_, "/", service);
  return absl::StrCat("cxl:///", base_, "-", service);
}

std::string AddressBook::ListeningAddressOf(absl::string_view service) const {
  if (!HasPorts(transport_) || HostPrefix(base_).empty()) return AddressOf(service);
  return absl::StrCat("0.0.0.0:", PortOf(service));
}

int AddressBook::PortOf(absl::string_view service) const {
  int first = 0;
  CHECK(absl::SimpleAtoi(FirstPort(base_), &first));
  const auto* const found = std::find(std::begin(kServices), std::end(kServices), service);
  return first + static_cast<int>(found - std::begin(kServices));
}

}  // namespace hotel_reservation
