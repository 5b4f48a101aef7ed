// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/own_address.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstring>

#include "absl/status/status.h"
#include "grpc_cxl/rendezvous/ask_kernel.h"

namespace grpc_cxl::internal {

absl::StatusOr<bool> IsOwnAddress(const TcpAddress& address) {
  struct {
    nlmsghdr header;
    rtmsg route;
    rtattr attribute;
    char destination[sizeof(in6_addr)];
  } request{};
  const bool v4 = address.IsIpv4();
  const size_t bytes = v4 ? sizeof(in_addr) : sizeof(in6_addr);
  request.header.nlmsg_len = sizeof(request) - sizeof(request.destination) + bytes;
  request.header.nlmsg_type = RTM_GETROUTE;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.route.rtm_family = v4 ? AF_INET : AF_INET6;
  request.route.rtm_dst_len = bytes * 8;
  request.attribute.rta_type = RTA_DST;
  request.attribute.rta_len = RTA_LENGTH(bytes);
  std::memcpy(request.destination, &address.ip.s6_addr[sizeof(in6_addr) - bytes], bytes);
  bool own = false;
  const absl::Status asked =
      AskKernel(NETLINK_ROUTE, request.header, [&own](const nlmsghdr& answer) {
        if (answer.nlmsg_type != RTM_NEWROUTE || answer.nlmsg_len < NLMSG_LENGTH(sizeof(rtmsg))) {
          return;
        }
        own = static_cast<const rtmsg*>(NLMSG_DATA(&answer))->rtm_type == RTN_LOCAL;
      });
  if (!asked.ok() && !absl::IsUnavailable(asked)) return asked;  // ENETUNREACH: no route at all
  return own;
}

}  // namespace grpc_cxl::internal
