// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_UNIX_FILE_H_
#define GRPC_CXL_RENDEZVOUS_UNIX_FILE_H_

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include <optional>

#include "absl/strings/string_view.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

// The file of a unix socket, by whatever path and in whatever namespace it is reached. As long as
// the server lives its socket holds the file, so that no other file has these numbers.
struct UnixFile {
  dev_t device = 0;
  ino_t inode = 0;
  uid_t owner = 0;

  // Nullopt for other families, abstract addresses, and files that are no sockets.
  static std::optional<UnixFile> Of(const sockaddr* address, socklen_t size);

  // The name under which its server is found: unix=<device>-<inode>.
  ServiceName Name() const;
};

// The address of a unix socket at `path`; nullopt if it is empty or too long for one.
std::optional<sockaddr_un> UnixAddress(absl::string_view path);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_UNIX_FILE_H_
