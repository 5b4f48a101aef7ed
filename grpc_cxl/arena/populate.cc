// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/arena/populate.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE  // newer than some systems' headers
#define MADV_POPULATE_WRITE 23
#endif

namespace grpc_cxl::internal {

int Populate(void* begin, size_t bytes) {
  int result;
  do {
    result = madvise(begin, bytes, MADV_POPULATE_WRITE);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? 0 : errno;
}

bool CanPopulate() {
  static const bool can = [] {
    const size_t page = sysconf(_SC_PAGESIZE);
    void* const probe =
        mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED) return false;
    const bool populated = Populate(probe, page) == 0;
    munmap(probe, page);
    return populated;
  }();
  return can;
}

}  // namespace grpc_cxl::internal
