// SPDX-License-Identifier: Apache-2.0
#include "test/e2e/transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/server_credentials.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::e2e {
namespace {

// A port of the loopback interface. It is kept by a socket that is bound to it and never
// listens: with SO_REUSEPORT, which gRPC's servers set as well, servers of this user can
// come and go beside it, and the kernel gives the number to nobody else.
class ReservedPort {
 public:
  ReservedPort() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    PCHECK(socket_.get() >= 0);
    const int on = 1;
    PCHECK(setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0);
    here_.sin_family = AF_INET;
    here_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(here_);
    PCHECK(bind(socket_.get(), reinterpret_cast<sockaddr*>(&here_), size) == 0);
    PCHECK(getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&here_), &size) == 0);
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", ntohs(here_.sin_port)); }

 private:
  const internal::UniqueFd socket_;
  sockaddr_in here_ = {};
};

}  // namespace

std::string Name(TransportKind kind) {
  static constexpr const char* kNames[] = {"tcp", "unix", "cxl", "cxl_direct", "cxl_inline"};
  return kNames[static_cast<int>(kind)];
}

std::unique_ptr<Transport> Transport::Make(TransportKind kind, const ServerOptions& options) {
  std::string place;
  std::shared_ptr<void> keeper;
  if (kind == TransportKind::kTcp) {
    const auto port = std::make_shared<ReservedPort>();
    place = port->address();
    keeper = port;
  } else {
    // Unix sockets have short paths; grpc_cxl copes with any.
    const auto directory = IsCxl(kind) ? std::make_shared<internal::TemporaryDirectory>()
                                       : std::make_shared<internal::TemporaryDirectory>("/tmp");
    place = IsCxl(kind) ? directory->path() : absl::StrCat("unix:", directory->path(), "/s.sock");
    keeper = directory;
  }
  return std::unique_ptr<Transport>(new Transport(kind, place, options, keeper));
}

std::unique_ptr<Transport> Transport::Join(TransportKind kind, const std::string& place,
                                           const ServerOptions& options) {
  return std::unique_ptr<Transport>(new Transport(kind, place, options));
}

std::shared_ptr<grpc::ChannelCredentials> Transport::ChannelCredentials(
    std::shared_ptr<grpc::ChannelCredentials> inner) const {
  if (!IsCxl(kind_)) return inner != nullptr ? inner : grpc::InsecureChannelCredentials();
  ChannelOptions options;
  options.rendezvous_directory = place_;
  options.direct_calls = IsDirect(kind_);
  options.inline_calls = kind_ == TransportKind::kCxlInline;
  return grpc_cxl::ChannelCredentials(options, std::move(inner));
}

std::shared_ptr<grpc::ServerCredentials> Transport::ServerCredentials(
    std::shared_ptr<grpc::ServerCredentials> inner) const {
  if (!IsCxl(kind_)) return inner != nullptr ? inner : grpc::InsecureServerCredentials();
  return grpc_cxl::ServerCredentials(options_, std::move(inner));
}

void Transport::Started(grpc::Server& server) const {
  if (!IsDirect(kind_)) return;
  const absl::Status enabled = EnableDirectCalls(server);
  // With TLS and with some arguments of the server, all calls are stream calls.
  CHECK(enabled.ok() || absl::IsNotFound(enabled) || absl::IsFailedPrecondition(enabled))
      << enabled;
}

}  // namespace grpc_cxl::e2e
