// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_STREAMS_MAPPED_STREAM_MEMORY_H_
#define GRPC_CXL_TEST_STREAMS_MAPPED_STREAM_MEMORY_H_

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstddef>

#include "absl/types/span.h"
#include "grpc_cxl/arena/arena_pages.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "grpc_cxl/streams/stream_memory.h"

namespace grpc_cxl::internal {

// The streams' part of an arena, shared with nobody, whose pages take memory on use.
class MappedStreamMemory {
 public:
  MappedStreamMemory() { EXPECT_NE(data_, MAP_FAILED); }
  ~MappedStreamMemory() { munmap(data_, kBytes); }
  MappedStreamMemory(const MappedStreamMemory&) = delete;
  MappedStreamMemory& operator=(const MappedStreamMemory&) = delete;

  absl::Span<char> area() const { return absl::MakeSpan(data_, kStreamAreaBytes); }
  // For either side.
  StreamMemory ForASide(bool trust_peer = false) const {
    char* const news = data_ + kStreamAreaBytes;
    return {.area = area(),
            .client_news = reinterpret_cast<StreamNewsWords*>(news),
            .server_news = reinterpret_cast<StreamNewsWords*>(news + kNewsBytes / 2),
            .wake_peer = [] {},
            .pages = ArenaPages(Reservation::kOnUse, trust_peer)};
  }

 private:
  static constexpr size_t kNewsBytes = 4096;
  static constexpr size_t kBytes = kStreamAreaBytes + kNewsBytes;

  char* const data_ = static_cast<char*>(
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_STREAMS_MAPPED_STREAM_MEMORY_H_
