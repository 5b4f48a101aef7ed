// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_COHERENCE_PRIVATE_COPY_H_
#define GRPC_CXL_COHERENCE_PRIVATE_COPY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <source_location>

#include "absl/types/span.h"

namespace grpc_cxl::internal {

// The place in the code that writes lines back or gets them anew.
using Site = std::source_location;

// What one side works on in place of the shared memory, so that a test decides when lines move
// between the two: the simulated caches of its machine. Products link no implementation;
// test/coherence/checker.h is one. Thread-safe.
class PrivateCopy {
 public:
  virtual ~PrivateCopy() = default;

  virtual absl::Span<char> bytes() const = 0;

  // Of the lines of these bytes of the copy.
  virtual void WriteBack(const void* begin, size_t bytes, Site site) = 0;
  virtual void Invalidate(const void* begin, size_t bytes, Site site) = 0;
  virtual void Flush(const void* begin, size_t bytes, Site site) = 0;

  // Makes the copies of MemoryModel::private_copy, for its `machine`. Null unless a test has set
  // it, before it has other threads.
  using Factory = std::unique_ptr<PrivateCopy> (*)(absl::Span<char> memory,
                                                   std::optional<uint32_t> machine);
  static void SetFactory(Factory factory) { factory_ = factory; }
  static Factory factory() { return factory_; }

 private:
  static inline Factory factory_ = nullptr;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_COHERENCE_PRIVATE_COPY_H_
