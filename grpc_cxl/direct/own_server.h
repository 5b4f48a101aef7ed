// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_OWN_SERVER_H_
#define GRPC_CXL_DIRECT_OWN_SERVER_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace grpc_cxl::internal {

class ServerLinkUser;

// Where the client's end of a connection within one process finds the server's end. Both know the
// file of their arena; no file of another connection has its numbers while one of them lives.
// Thread-safe.
class OwnServer {
 public:
  using File = std::pair<uint64_t, uint64_t>;  // device and inode

  // The object of this file, the same for both ends, whichever comes first.
  static std::shared_ptr<OwnServer> Of(const File& file);

  void Set(std::weak_ptr<ServerLinkUser> server) {
    absl::MutexLock lock(mu_);
    server_ = std::move(server);
  }
  // Null: not yet, or not any more.
  std::shared_ptr<ServerLinkUser> Get() const {
    absl::MutexLock lock(mu_);
    return server_.lock();
  }

 private:
  mutable absl::Mutex mu_;
  std::weak_ptr<ServerLinkUser> server_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_OWN_SERVER_H_
