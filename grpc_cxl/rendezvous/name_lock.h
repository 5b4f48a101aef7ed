// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_NAME_LOCK_H_
#define GRPC_CXL_RENDEZVOUS_NAME_LOCK_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/base/unique_fd.h"

// The owner of a name is the process that holds the exclusive lock (flock) of the inode to which
// the path of its lock file leads. There is at most one, since a path leads to one inode.
//
// Setting a server up:     lock = AcquireNameLock(...)      now the name is ours
// Leaving in order:        if OwnsName(...) unlink the file  now it has no owner
//                          close the lock
// Dying:                   the kernel closes the lock; the file stays and is locked again
//                          by the next owner
//
// The replicas of a name (replica_name.h) hold the same lock as a shared one: they and an owner
// keep each other out.
//
// Between an unlink and the close, a newcomer makes and locks another inode. A lock alone
// therefore proves nothing: AcquireNameLock() checks where the path leads after it has locked.
namespace grpc_cxl::internal {

// Makes the caller the owner and writes our pid into the file. `directory` is an opened
// directory, `path` its path for the texts of errors.
//
// ALREADY_EXISTS naming the owner's pid when the name has an owner, this process included;
// PERMISSION_DENIED when the file cannot be written; FAILED_PRECONDITION when the path leads to
// anything but a lock file.
absl::StatusOr<UniqueFd> AcquireNameLock(int directory, const std::string& path,
                                         const std::string& file);

// Makes the caller one of those that share the name, beside whom it has no owner; writes nothing.
// Errors as above; ALREADY_EXISTS naming the owner's pid. Waits up to 0.1 s for a replica that
// leaves, or a server that removes what the dead have left (dead_addresses.h).
absl::StatusOr<UniqueFd> ShareNameLock(int directory, const std::string& path,
                                       const std::string& file);

// Gives a shared lock up, and removes the file if nobody else shares it.
void LeaveNameLock(int directory, const std::string& file, UniqueFd lock);

// Writes our pid into a lock file that we have taken over.
absl::Status WriteOwnPid(int lock, const std::string& path);

// Whether `lock`, acquired for `file`, still makes the caller the owner: false after the file was
// removed or replaced, when `file` may be a successor's.
bool OwnsName(int directory, const std::string& file, int lock);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_NAME_LOCK_H_
