// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_TCP_ADDRESS_H_
#define GRPC_CXL_RENDEZVOUS_TCP_ADDRESS_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

#include "grpc_cxl/rendezvous/network_namespace.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

// An IP address and a port. A plain value.
struct TcpAddress {
  in6_addr ip = {};  // an IPv4 address as ::ffff:a.b.c.d
  uint16_t port = 0;

  // Nullopt for other families, and for link-local IPv6 addresses, which mean nothing without an
  // interface.
  static std::optional<TcpAddress> From(const sockaddr* address, socklen_t size);

  bool IsIpv4() const { return IN6_IS_ADDR_V4MAPPED(&ip); }
  in_addr Ipv4() const;    // if IsIpv4()
  bool IsAny() const;      // 0.0.0.0 or ::
  std::string Ip() const;  // "10.0.0.7", "fd00::7"

  friend bool operator==(const TcpAddress& a, const TcpAddress& b) {
    return IN6_ARE_ADDR_EQUAL(&a.ip, &b.ip) && a.port == b.port;
  }
};

// The names under which servers of network addresses are found (docs/protocol.md, 2.6):
//
//   tcp=10.0.0.7=50051=net4-4026531840    a server that listens on this address
//   tcp=any=50051=net4-4026531840         a server that listens on all addresses of the namespace
//
// No target `cxl:///...` can name them.
ServiceName NameOfAddress(const TcpAddress& address, const NetworkNamespace& space);
ServiceName NameOfAnyAddress(uint16_t port, const NetworkNamespace& space);

// The address of such a name, 127.0.0.1 for all addresses and for hosts (host_name.h); nullopt for
// other names, those of replicas (replica_name.h) among them.
std::optional<TcpAddress> AddressOfName(const ServiceName& name);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_TCP_ADDRESS_H_
