#include "test/e2e/transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "absl/log/check.h"
#include "absl/log/log.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/server_credentials.h"
#include "test/e2e/test_directory.h"

namespace grpc_cxl::e2e {
namespace {

// gRPC's own transports: the address says it all.
class OrdinaryTransport final : public Transport {
 public:
  // `keeper` is what reserves the address.
  explicit OrdinaryTransport(std::string address, std::shared_ptr<void> keeper = nullptr)
      : address_(std::move(address)), keeper_(std::move(keeper)) {}

  std::string place() const override { return address_; }
  std::string address() const override { return address_; }

  std::shared_ptr<grpc::ChannelCredentials> ChannelCredentials(
      std::shared_ptr<grpc::ChannelCredentials> inner) const override {
    return inner != nullptr ? inner : grpc::InsecureChannelCredentials();
  }
  std::shared_ptr<grpc::ServerCredentials> ServerCredentials(
      std::shared_ptr<grpc::ServerCredentials> inner) const override {
    return inner != nullptr ? inner : grpc::InsecureServerCredentials();
  }

 private:
  const std::string address_;
  const std::shared_ptr<void> keeper_;
};

// Always the same name, in a rendezvous directory of its own.
class CxlTransport final : public Transport {
 public:
  CxlTransport(bool direct, const std::string& directory, const ServerOptions& options,
               std::shared_ptr<void> keeper = nullptr)
      : direct_(direct), server_options_(options), keeper_(std::move(keeper)) {
    channel_options_.direct_calls = direct;
    server_options_.rendezvous_directory = directory;
    channel_options_.rendezvous_directory = directory;
  }

  std::string place() const override { return server_options_.rendezvous_directory; }
  std::string address() const override { return "cxl:///e2e/echo"; }

  std::shared_ptr<grpc::ChannelCredentials> ChannelCredentials(
      std::shared_ptr<grpc::ChannelCredentials> inner) const override {
    return grpc_cxl::ChannelCredentials(channel_options_, std::move(inner));
  }
  std::shared_ptr<grpc::ServerCredentials> ServerCredentials(
      std::shared_ptr<grpc::ServerCredentials> inner) const override {
    return grpc_cxl::ServerCredentials(server_options_, std::move(inner));
  }
  void Started(grpc::Server& server) const override {
    if (!direct_) return;
    const absl::Status enabled = EnableDirectCalls(server);
    // With TLS there is nothing to enable, and all calls are stream calls.
    CHECK(enabled.ok() || absl::IsNotFound(enabled)) << enabled;
  }

 private:
  const bool direct_;
  ServerOptions server_options_;
  ChannelOptions channel_options_;
  const std::shared_ptr<void> keeper_;
};

// A port of the loopback interface. It is kept by a socket that is bound to it and never
// listens: with SO_REUSEPORT, which gRPC's servers set as well, servers of this user can
// come and go beside it, and the kernel gives the number to nobody else.
class ReservedPort {
 public:
  ReservedPort() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    PCHECK(socket_ >= 0);
    const int on = 1;
    PCHECK(setsockopt(socket_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0);
    sockaddr_in here = {};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(here);
    PCHECK(bind(socket_, reinterpret_cast<sockaddr*>(&here), size) == 0);
    PCHECK(getsockname(socket_, reinterpret_cast<sockaddr*>(&here), &size) == 0);
    port_ = ntohs(here.sin_port);
  }
  ReservedPort(const ReservedPort&) = delete;
  ReservedPort& operator=(const ReservedPort&) = delete;
  ~ReservedPort() { close(socket_); }

  int port() const { return port_; }

 private:
  const int socket_;
  int port_;
};

}  // namespace

std::string Name(TransportKind kind) {
  switch (kind) {
    case TransportKind::kTcp:
      return "tcp";
    case TransportKind::kUnix:
      return "unix";
    case TransportKind::kCxl:
      return "cxl";
    case TransportKind::kCxlDirect:
      return "cxl_direct";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& out, TransportKind kind) { return out << Name(kind); }

std::unique_ptr<Transport> Transport::Make(TransportKind kind, const ServerOptions& options) {
  switch (kind) {
    case TransportKind::kTcp: {
      auto reserved = std::make_shared<ReservedPort>();
      const std::string address = absl::StrCat("127.0.0.1:", reserved->port());
      return std::make_unique<OrdinaryTransport>(address, reserved);
    }
    case TransportKind::kUnix: {
      auto directory = std::make_shared<TestDirectory>("/tmp");  // a short path
      const std::string address = absl::StrCat("unix:", directory->path(), "/echo.sock");
      return std::make_unique<OrdinaryTransport>(address, directory);
    }
    case TransportKind::kCxl:
    case TransportKind::kCxlDirect: {
      auto directory = std::make_shared<TestDirectory>();
      return std::make_unique<CxlTransport>(kind == TransportKind::kCxlDirect, directory->path(),
                                            options, directory);
    }
  }
  LOG(FATAL) << "no such transport";
}

std::unique_ptr<Transport> Transport::Join(TransportKind kind, const std::string& place,
                                           const ServerOptions& options) {
  if (kind == TransportKind::kCxl || kind == TransportKind::kCxlDirect) {
    return std::make_unique<CxlTransport>(kind == TransportKind::kCxlDirect, place, options);
  }
  return std::make_unique<OrdinaryTransport>(place);
}

}  // namespace grpc_cxl::e2e
