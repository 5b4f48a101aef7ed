// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/ask_kernel.h"

#include <errno.h>
#include <sys/socket.h>

#include <cstddef>
#include <memory>

#include "grpc_cxl/base/errno_status.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kAnswerBytes = 32 << 10;  // the most that the kernel sends at once
constexpr absl::string_view kAsk = "ask the kernel over netlink";

// 0: an acknowledgement.
int ErrorOf(const nlmsghdr& message) {
  if (message.nlmsg_len < NLMSG_LENGTH(sizeof(nlmsgerr))) return EPROTO;
  return -static_cast<const nlmsgerr*>(NLMSG_DATA(&message))->error;
}

}  // namespace

absl::Status AskKernel(int protocol, const nlmsghdr& request,
                       absl::FunctionRef<void(const nlmsghdr&)> on_answer) {
  const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!socket) return ErrnoStatus(errno, kAsk);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (sendto(socket.get(), &request, request.nlmsg_len, 0, reinterpret_cast<sockaddr*>(&kernel),
             sizeof(kernel)) < 0) {
    return ErrnoStatus(errno, kAsk);
  }
  const auto buffer = std::make_unique<nlmsghdr[]>(kAnswerBytes / sizeof(nlmsghdr));
  for (;;) {
    // The kernel answers while it is asked, so that there is nothing to wait for.
    const ssize_t bytes = recv(socket.get(), buffer.get(), kAnswerBytes, MSG_DONTWAIT);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) return ErrnoStatus(bytes < 0 ? errno : EPROTO, kAsk);
    auto left = static_cast<size_t>(bytes);
    for (const nlmsghdr* message = buffer.get(); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) return absl::OkStatus();
      if (message->nlmsg_type == NLMSG_ERROR) {
        const int error = ErrorOf(*message);
        return error == 0 ? absl::OkStatus() : ErrnoStatus(error, kAsk);
      }
      on_answer(*message);
      if ((message->nlmsg_flags & NLM_F_MULTI) == 0) return absl::OkStatus();
    }
  }
}

}  // namespace grpc_cxl::internal
