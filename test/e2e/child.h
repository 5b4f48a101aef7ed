// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_E2E_CHILD_H_
#define GRPC_CXL_TEST_E2E_CHILD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/log/check.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "test/e2e/transport.h"
#include "test/support/spawned_child.h"

namespace grpc_cxl::e2e {

// A process that runs e2e_child.cc, which explains roles and flags, and reports line by line.
class Child : public internal::SpawnedChild {
 public:
  Child(const std::string& role, TransportKind kind, const std::string& place,
        const std::vector<std::string>& flags = {}, const internal::SpawnOptions& options = {})
      : SpawnedChild("test/e2e/e2e_child", Arguments(role, kind, place, flags), options) {}

  // The bytes that it has allocated at the moment.
  int64_t AllocatedBytes() {
    Write("?");
    const std::string line = ReadLine().value_or("nothing");
    int64_t bytes = 0;
    CHECK(absl::SimpleAtoi(absl::StripPrefix(line, "heap "), &bytes)) << line;
    return bytes;
  }

 private:
  static std::vector<std::string> Arguments(const std::string& role, TransportKind kind,
                                            const std::string& place,
                                            std::vector<std::string> flags) {
    flags.insert(flags.end(), {"--role=" + role, "--transport=" + Name(kind), "--place=" + place});
    return flags;
  }
};

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_CHILD_H_
