// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_SUPPORT_PROCESS_STATE_H_
#define GRPC_CXL_TEST_SUPPORT_PROCESS_STATE_H_

#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>

namespace grpc_cxl::internal {

// How many file descriptors a process has open; not counting the one that counting takes.
int CountOpenFiles(pid_t pid = getpid());

// How many mappings of arenas a process has, by the name of their memfd.
int CountArenas(pid_t pid = getpid());

// Memory of arenas that the process has in its page tables, each page once.
int64_t ArenaBytesResident(pid_t pid = getpid());

// While it lives, this process cannot open another file descriptor (EMFILE). Check results
// afterwards: the checks of UBSan, for one, need a descriptor themselves.
class NoMoreFiles {
 public:
  NoMoreFiles();
  NoMoreFiles(const NoMoreFiles&) = delete;
  NoMoreFiles& operator=(const NoMoreFiles&) = delete;
  ~NoMoreFiles();

 private:
  rlimit before_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_SUPPORT_PROCESS_STATE_H_
