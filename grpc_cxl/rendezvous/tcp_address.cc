// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/tcp_address.h"

#include <arpa/inet.h>

#include <cstring>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace grpc_cxl::internal {
namespace {

ServiceName Name(absl::string_view ip, uint16_t port, const NetworkNamespace& space) {
  return ServiceName::Reserved(
      absl::StrCat("tcp=", ip, "=", port, "=net", space.device, "-", space.inode));
}

}  // namespace

std::optional<TcpAddress> TcpAddress::From(const sockaddr* address, socklen_t size) {
  TcpAddress result;
  if (size >= sizeof(sockaddr_in) && address->sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof(v4));
    result.ip.s6_addr[10] = result.ip.s6_addr[11] = 0xff;
    std::memcpy(&result.ip.s6_addr[12], &v4.sin_addr, sizeof(v4.sin_addr));
    result.port = ntohs(v4.sin_port);
    return result;
  }
  if (size >= sizeof(sockaddr_in6) && address->sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, address, sizeof(v6));
    if (IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr)) return std::nullopt;
    result.ip = v6.sin6_addr;
    result.port = ntohs(v6.sin6_port);
    return result;
  }
  return std::nullopt;
}

in_addr TcpAddress::Ipv4() const {
  in_addr v4;
  std::memcpy(&v4, &ip.s6_addr[12], sizeof(v4));
  return v4;
}

bool TcpAddress::IsAny() const {
  return IsIpv4() ? Ipv4().s_addr == INADDR_ANY : IN6_IS_ADDR_UNSPECIFIED(&ip);
}

std::string TcpAddress::Ip() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (IsIpv4()) {
    const in_addr v4 = Ipv4();
    inet_ntop(AF_INET, &v4, text, sizeof(text));
  } else {
    inet_ntop(AF_INET6, &ip, text, sizeof(text));
  }
  return text;
}

ServiceName NameOfAddress(const TcpAddress& address, const NetworkNamespace& space) {
  return Name(address.Ip(), address.port, space);
}

ServiceName NameOfAnyAddress(uint16_t port, const NetworkNamespace& space) {
  return Name("any", port, space);
}

std::optional<TcpAddress> AddressOfName(const ServiceName& name) {
  const std::vector<std::string> parts = absl::StrSplit(name.str(), '=');
  std::string ip = "127.0.0.1", digits;
  if (parts.size() == 4 && parts[0] == "tcp") {
    if (parts[1] != "any") ip = parts[1];
    digits = parts[2];
  } else if (parts.size() == 2 && parts[0] == "name") {
    digits = parts[1].substr(parts[1].find(':') + 1);
  }
  TcpAddress address;
  uint32_t port;
  const bool v4 = ip.find(':') == std::string::npos;
  if (!absl::SimpleAtoi(digits, &port) ||
      inet_pton(AF_INET6, absl::StrCat(v4 ? "::ffff:" : "", ip).c_str(), &address.ip) != 1) {
    return std::nullopt;
  }
  address.port = static_cast<uint16_t>(port);
  return address;
}

}  // namespace grpc_cxl::internal
