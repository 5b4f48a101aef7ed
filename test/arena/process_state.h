#ifndef GRPC_CXL_TEST_ARENA_PROCESS_STATE_H_
#define GRPC_CXL_TEST_ARENA_PROCESS_STATE_H_

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace grpc_cxl::internal {

// How many files this process has open.
inline int OpenFiles() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

// How many arenas it has mapped, by the name of their memfd.
inline int MappedArenas() {
  std::ifstream maps("/proc/self/maps");
  int count = 0;
  for (std::string line; std::getline(maps, line);) {
    count += line.find("/memfd:grpc_cxl") != std::string::npos;
  }
  return count;
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_ARENA_PROCESS_STATE_H_
