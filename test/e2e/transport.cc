// SPDX-License-Identifier: Apache-2.0
#include "test/e2e/transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <utility>

#include "absl/log/check.h"
#include "absl/log/log.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/server_credentials.h"
#include "test/support/temporary_directory.h"

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
  static constexpr const char* kNames[] = {"tcp", "unix", "cxl", "cxl_direct"};
  return kNames[static_cast<int>(kind)];
}

std::unique_ptr<Transport> Transport::Make(TransportKind kind, const ServerOptions& options) {
  switch (kind) {
    case TransportKind::kTcp: {
      const auto reserved = std::make_shared<ReservedPort>();
      return std::make_unique<OrdinaryTransport>(reserved->address(), reserved);
    }
    case TransportKind::kUnix: {
      const auto directory =
          std::make_shared<internal::TemporaryDirectory>("/tmp");  // a short path
      const std::string address = absl::StrCat("unix:", directory->path(), "/echo.sock");
      return std::make_unique<OrdinaryTransport>(address, directory);
    }
    case TransportKind::kCxl:
    case TransportKind::kCxlDirect: {
      const auto directory = std::make_shared<internal::TemporaryDirectory>();
      return std::make_unique<CxlTransport>(kind == TransportKind::kCxlDirect, directory->path(),
                                            options, directory);
    }
  }
  LOG(FATAL) << "no such transport";
}

std::unique_ptr<Transport> Transport::Join(TransportKind kind, const std::string& place,
                                           const ServerOptions& options) {
  if (!IsCxl(kind)) return std::make_unique<OrdinaryTransport>(place);
  return std::make_unique<CxlTransport>(kind == TransportKind::kCxlDirect, place, options);
}

}  // namespace grpc_cxl::e2e
