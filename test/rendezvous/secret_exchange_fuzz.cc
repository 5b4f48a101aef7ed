// SPDX-License-Identifier: Apache-2.0
// Proves that no message makes either end of the secret exchange crash, leak a descriptor, say
// something unprintable or endless, or believe a proof that is not the peer's own.
//
// The input is one message. Byte 0 chooses which one (kMessages), and whether the rest is laid over
// an honest one and keeps its size; byte 1 how many descriptors travel along; then, over an honest
// message, where the rest begins.
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "grpc_cxl/rendezvous/secret_exchange.h"
#include "test/fuzz/fuzz_input.h"
#include "test/rendezvous/raw_peer.h"
#include "test/support/eventually.h"
#include "test/support/process_state.h"
#include "test/support/socket_pair.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

enum Kind { kChallenge, kClientProof, kServerProof, kWelcome, kKinds };

const SharedSecret& Secret() {
  static const auto* const secret = [] {
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/secret";
    std::ofstream(path) << "correct horse battery staple";
    PCHECK(chmod(path.c_str(), 0600) == 0);
    return new SharedSecret(*SharedSecret::Read(path));
  }();
  return *secret;
}

// The two ends, and what of them a hostile peer replaces.
class Exchange {
 public:
  // Up to the message of `kind`, which is taken out of its socket and returned.
  std::string HonestUpTo(Kind kind) {
    if (kind == kWelcome) return BytesOf(Honest<WelcomeMessage>());
    CHECK_OK(server_.SendChallenge(ours()));
    if (kind == kChallenge) return TakeFrom(theirs());
    CHECK_OK(client_.Advance(theirs()));
    if (kind == kClientProof) return TakeFrom(ours());
    CHECK_OK(server_.ReceiveProof(ours()));
    return TakeFrom(theirs());
  }

  void Read(Kind kind, const std::string& message, size_t files, const std::string& honest) {
    const bool to_server = kind == kClientProof;
    SendRaw(to_server ? theirs() : ours(), message, std::vector<int>(files, STDERR_FILENO));
    const absl::StatusOr<bool> believed =
        to_server ? server_.ReceiveProof(ours()) : client_.Advance(theirs());
    if (believed.ok() && *believed) {
      CHECK(to_server || kind == kServerProof);
      // Of the preamble, which nobody proves, some words mean nothing here.
      CHECK_EQ(message.substr(sizeof(HandshakePreamble)), honest.substr(sizeof(HandshakePreamble)));
    }
    if (message == honest && files == 0)
      CHECK(believed.ok() || kind == kWelcome) << believed.status();
    if (believed.ok()) return;
    CheckText(believed.status());
    // Unless it has closed, the client is told.
    if (to_server && !absl::IsUnavailable(believed.status())) {
      CheckText(client_.Advance(theirs()).status());
    }
  }

 private:
  static std::string TakeFrom(int socket) {
    std::string message(512, '\0');
    const ssize_t size = recv(socket, message.data(), message.size(), MSG_DONTWAIT);
    PCHECK(size > 0);
    message.resize(size);
    return message;
  }
  static void CheckText(const absl::Status& status) {
    CHECK(!status.ok());
    CHECK_LT(status.message().size(), 600u);
    CHECK(std::all_of(status.message().begin(), status.message().end(), absl::ascii_isprint))
        << status;
  }
  int ours() const { return sockets_.ours.get(); }
  int theirs() const { return sockets_.theirs.get(); }

  const SocketPair sockets_;
  ServerExchange server_{Secret(), "payments"};
  ClientExchange client_{Secret(), "payments"};
};

}  // namespace
}  // namespace grpc_cxl::internal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace grpc_cxl::internal;
  FuzzInput input(data, size);
  const uint8_t choice = input.Take<uint8_t>();
  const auto kind = static_cast<Kind>(choice % kKinds);
  const bool on_honest = choice & 4, keep_size = choice & 8;
  const size_t files = input.TakeUpTo(4) == 4 ? 1 : 0;
  Secret();  // opens files
  const int before = CountOpenFiles();
  {
    Exchange exchange;
    const std::string honest = exchange.HonestUpTo(kind);
    std::string message = on_honest ? honest : "";
    const size_t offset = on_honest ? input.TakeUpTo(honest.size()) : 0;
    const std::string_view bytes = input.TakeBytes(size);
    message.resize(std::max(message.size(), offset + bytes.size()));
    std::copy(bytes.begin(), bytes.end(), message.begin() + offset);
    if (on_honest && keep_size) message.resize(honest.size());
    exchange.Read(kind, message, files, honest);
  }
  CHECK(Eventually([&] { return CountOpenFiles() == before; }));
  return 0;
}
