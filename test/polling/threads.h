#ifndef GRPC_CXL_TEST_POLLING_THREADS_H_
#define GRPC_CXL_TEST_POLLING_THREADS_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace grpc_cxl::internal {

// How many threads of this process have a name that begins with `name`.
size_t CountThreads(const std::string& name);

// How often these have gone to sleep by themselves so far, all together.
uint64_t CountNaps(const std::string& name);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_POLLING_THREADS_H_
