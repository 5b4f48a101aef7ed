// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/message_fault.h"

#include "absl/strings/str_cat.h"
#include "grpc_cxl/base/layout_version.h"

namespace grpc_cxl::internal {
namespace {

// Both sides format this text: the server sends it to the client as the reason.
std::string VersionsDiffer(absl::string_view peer, absl::string_view self, uint32_t theirs) {
  return absl::StrCat("the ", peer, " has version ", theirs,
                      " of grpc_cxl's shared memory layout, the ", self, " has version ",
                      kLayoutVersion, "; build both with the same release of grpc_cxl (the ",
                      theirs < kLayoutVersion ? peer : self, " is the older one)");
}

}  // namespace

Fault FindFault(const HandshakePreamble& preamble, size_t size, size_t expected,
                absl::string_view peer) {
  if (size < sizeof(HandshakePreamble) || preamble.magic != kHandshakeMagic) {
    return {Refusal::kNotOurProtocol,
            absl::StrCat("the ", peer, " does not speak grpc_cxl's protocol")};
  }
  // Before the size, which another version may have changed.
  if (preamble.layout_version != kLayoutVersion) {
    return {Refusal::kVersion,
            VersionsDiffer(peer, peer == "client" ? "server" : "client", preamble.layout_version)};
  }
  if (size != expected) {
    return {Refusal::kNotOurProtocol,
            absl::StrCat("a message of the ", peer, " has ", size, " bytes instead of ", expected)};
  }
  return {};
}

}  // namespace grpc_cxl::internal
