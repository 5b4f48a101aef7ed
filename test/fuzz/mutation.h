#ifndef GRPC_CXL_TEST_FUZZ_MUTATION_H_
#define GRPC_CXL_TEST_FUZZ_MUTATION_H_

#include <cstddef>
#include <random>
#include <string>
#include <vector>

namespace grpc_cxl::internal {

// A new input for a fuzz target: random bytes, or one of `corpus` with some bytes changed,
// cut out, doubled or replaced by a piece of another one. At most `most` bytes. The same
// seed gives the same inputs.
std::string NextInput(const std::vector<std::string>& corpus, size_t most, std::mt19937& random);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_FUZZ_MUTATION_H_
