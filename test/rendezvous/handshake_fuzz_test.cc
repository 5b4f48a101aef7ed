// Proves that no message, with or without file descriptors, makes either end of the
// handshake crash, leak a descriptor, or say something unprintable or endless.
//
// The input is one message. Byte 0 chooses who reads it and whether it stands on an honest
// message and keeps its size, so that mutations reach the fields behind magic and size;
// byte 1 how many descriptors travel along. The rest is laid over the honest message, or is
// the message itself.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "test/rendezvous/raw_peer.h"
#include "test/support/process_state.h"
#include "test/support/socket_pair.h"

namespace grpc_cxl::internal {
namespace {

template <typename Message>
std::string Honest() {
  Message message{};
  message.preamble = {kHandshakeMagic, kLayoutVersion, 0};
  return {reinterpret_cast<const char*>(&message), sizeof(message)};
}

void CheckText(const absl::Status& status) {
  CHECK(!status.ok());
  CHECK_LT(status.message().size(), 600u);
  CHECK(std::all_of(status.message().begin(), status.message().end(), [](unsigned char c) {
    return absl::ascii_isprint(c);
  })) << status;
}

void ReadAsServer(int socket, int client) {
  auto hello = ReceiveHello(socket, TrustedUsers());
  if (hello.ok()) {
    CHECK(hello->has_value());
    CHECK_EQ((*hello)->peer.uid, geteuid());
    return;
  }
  CheckText(hello.status());
  // Unless it has closed, the client is told.
  if (!absl::IsUnavailable(hello.status())) {
    CheckText(ReceiveWelcome(client, TrustedUsers()).status());
  }
}

void ReadAsClient(int socket, size_t files) {
  auto welcome = ReceiveWelcome(socket, TrustedUsers());
  if (!welcome.ok()) return CheckText(welcome.status());
  CHECK(welcome->has_value());
  CHECK_EQ(files, 1u);
  CHECK_GE(fcntl((*welcome)->arena_fd.get(), F_GETFD), 0);
}

}  // namespace
}  // namespace grpc_cxl::internal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace grpc_cxl::internal;
  if (size < 2) return 0;
  const bool server = data[0] & 1;
  const bool on_honest = data[0] & 2;
  const bool keep_size = data[0] & 4;
  const size_t files = data[1] % 5;
  std::string message = !on_honest ? ""
                        : server   ? Honest<HelloMessage>()
                                   : Honest<WelcomeMessage>();
  const size_t honest_size = message.size();
  size_t offset = 0;
  const uint8_t* bytes = data + 2;
  size_t count = size - 2;
  if (on_honest && count > 0) {
    offset = *bytes++ % (honest_size + 1);
    --count;
  }
  message.resize(std::max(honest_size, offset + count));
  std::copy(bytes, bytes + count, message.begin() + offset);
  message.resize(std::min<size_t>(message.size(), on_honest && keep_size ? honest_size : 100'000));

  const int before = CountOpenFiles();
  {
    const SocketPair sockets;
    SendRaw(sockets.theirs.get(), message.data(), message.size(),
            std::vector<int>(files, STDERR_FILENO));
    server ? ReadAsServer(sockets.ours.get(), sockets.theirs.get())
           : ReadAsClient(sockets.ours.get(), files);
  }
  CHECK_EQ(CountOpenFiles(), before);
  return 0;
}
