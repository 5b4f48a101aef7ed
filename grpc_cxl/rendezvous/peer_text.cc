// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/peer_text.h"

#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "grpc_cxl/rendezvous/peer_seal.h"

namespace grpc_cxl::internal {
namespace {

constexpr absl::string_view kAbstract = "unix-abstract:";
constexpr absl::string_view kCxl = "cxl:///";
constexpr absl::string_view kSecret = ",secret=proved";
constexpr absl::string_view kBack = ",back=";
constexpr absl::string_view kSeal = ",seal=";

// What this process has sealed; empty for any other text.
absl::string_view SealedPart(absl::string_view peer) {
  // A name has no "@".
  if (!absl::StartsWith(peer, absl::StrCat(kAbstract, kCxl))) return "";
  const absl::string_view sealed = peer.substr(std::min(peer.size(), peer.find('@') + 1));
  const absl::string_view identity = WithoutSeal(sealed);
  return sealed == SealedIdentity(identity) ? identity : "";
}

}  // namespace

std::string PeerIdentityText(const PeerIdentity& peer) {
  return absl::StrCat("pid=", peer.pid, ",uid=", peer.uid, peer.knows_secret ? kSecret : "");
}

std::string RegionPeerText(uint32_t host, uint32_t pid) {
  return absl::StrCat("host=", host, ",pid=", pid);
}

std::string WithWayBack(absl::string_view identity, int number) {
  return absl::StrCat(identity, kBack, number);
}

std::string SealedIdentity(absl::string_view identity) {
  return absl::StrCat(identity, kSeal, absl::Hex(Seal(identity), absl::kZeroPad16));
}

absl::string_view WithoutSeal(absl::string_view identity) {
  return identity.substr(0, identity.find(kSeal));
}

std::string PeerAddressText(const ServiceName& name, absl::string_view identity) {
  constexpr size_t kMost = sizeof(sockaddr_un::sun_path) - 1;
  return absl::StrCat(absl::StrCat(kCxl, name.str()).substr(0, kMost - 2 - identity.size()), "@",
                      identity);
}

std::string PeerText(const ServiceName& name, absl::string_view identity) {
  return absl::StrCat(kAbstract, PeerAddressText(name, identity));
}

std::optional<PeerIdentity> ParsePeerText(absl::string_view peer) {
  absl::string_view identity = SealedPart(peer);
  if (!absl::ConsumePrefix(&identity, "pid=")) return std::nullopt;
  identity = identity.substr(0, identity.find(kBack));
  const bool knows_secret = absl::ConsumeSuffix(&identity, kSecret);
  const std::vector<absl::string_view> numbers = absl::StrSplit(identity, ",uid=");
  int32_t pid;
  uint32_t uid;
  if (numbers.size() != 2 || !absl::SimpleAtoi(numbers[0], &pid) ||
      !absl::SimpleAtoi(numbers[1], &uid)) {
    return std::nullopt;
  }
  return PeerIdentity{.uid = uid, .pid = pid, .knows_secret = knows_secret};
}

int WayBackOf(absl::string_view peer) {
  const absl::string_view identity = SealedPart(peer);
  const size_t at = identity.find(kBack);
  int number;
  return at != absl::string_view::npos &&
                 absl::SimpleAtoi(identity.substr(at + kBack.size()), &number)
             ? number
             : 0;
}

}  // namespace grpc_cxl::internal
