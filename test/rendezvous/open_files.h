#ifndef GRPC_CXL_TEST_RENDEZVOUS_OPEN_FILES_H_
#define GRPC_CXL_TEST_RENDEZVOUS_OPEN_FILES_H_

#include <sys/resource.h>

#include <cstddef>

namespace grpc_cxl::internal {

// How many file descriptors this process has open.
size_t CountOpenFiles();

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

#endif  // GRPC_CXL_TEST_RENDEZVOUS_OPEN_FILES_H_
