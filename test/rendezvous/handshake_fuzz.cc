// SPDX-License-Identifier: Apache-2.0
// Proves that no message, with or without file descriptors, makes either end of the
// handshake crash, leak a descriptor, or say something unprintable or endless.
//
// The input is one message. Byte 0 chooses who reads it, and whether the rest is laid over an
// honest message and keeps its size, so that mutations reach the fields behind magic and size, and
// whether that is about a line;
// byte 1 how many descriptors travel along; then, over an honest message, where the rest begins.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/line.h"
#include "test/fuzz/fuzz_input.h"
#include "test/rendezvous/raw_peer.h"
#include "test/support/eventually.h"
#include "test/support/process_state.h"
#include "test/support/socket_pair.h"

namespace grpc_cxl::internal {
namespace {

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

// With a key that no message has by chance.
void ReadOnLine(int socket) {
  CheckText(ReceiveHelloOnLine(socket, {{'l', 'i', 'n', 'e', 'k', 'e', 'y'}}).status());
}

}  // namespace
}  // namespace grpc_cxl::internal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace grpc_cxl::internal;
  FuzzInput input(data, size);
  const uint8_t kind = input.Take<uint8_t>();
  const bool server = kind & 1, on_honest = kind & 2, keep_size = kind & 4, of_line = kind & 8;
  const size_t files = input.TakeUpTo(4);
  std::string message;
  if (on_honest) {
    LineMessage line = Honest<LineMessage>();
    line.preamble.features = kServesBack;
    message = server && of_line   ? BytesOf(line)
              : server || of_line ? BytesOf(Honest<HelloMessage>())
                                  : BytesOf(Honest<WelcomeMessage>());
  }
  const size_t honest_size = message.size();
  const size_t offset = on_honest ? input.TakeUpTo(honest_size) : 0;
  const std::string_view bytes = input.TakeBytes(size);
  message.resize(std::max(honest_size, offset + bytes.size()));
  std::copy(bytes.begin(), bytes.end(), message.begin() + offset);
  if (on_honest && keep_size) message.resize(honest_size);

  const int before = CountOpenFiles();
  {
    const SocketPair sockets;
    SendRaw(sockets.theirs.get(), message, std::vector<int>(files, STDERR_FILENO));
    server    ? ReadAsServer(sockets.ours.get(), sockets.theirs.get())
    : of_line ? ReadOnLine(sockets.ours.get())
              : ReadAsClient(sockets.ours.get(), files);
  }
  CHECK(Eventually([&] { return CountOpenFiles() == before; }));
  return 0;
}
