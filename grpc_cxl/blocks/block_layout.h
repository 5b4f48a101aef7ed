// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BLOCKS_BLOCK_LAYOUT_H_
#define GRPC_CXL_BLOCKS_BLOCK_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "grpc_cxl/base/shared_word.h"

// Payload blocks in one direction (docs/protocol.md, section 7): the sender owns an area of
// pages, writes payload into runs of them (blocks) and lends parts of these to the peer; the peer,
// the borrower, returns each loan through the return ring.
//
//   area     +-------+-------+-------+-- ... --+   owner writes, borrower reads
//            | page 0| page 1| page 2|         |
//            +-------+-------+-------+-- ... --+
//   returns  | u32 | u32 | u32 | ... one entry a page      borrower writes, owner reads
//
// Only the owner knows which pages are free and what is lent, in private memory. It never has
// more loans out than the return ring has entries, so the borrower may always write the next one.
//
// The memory of an area may be on the borrower's account as soon as it reads there. A borrower that
// keeps accounts (the server) therefore says how many pages, from the beginning on, it takes loans
// of. The owner asks for more or gives some back, one numbered question at a time. (Only where
// memory is coherent; elsewhere all pages are granted from the beginning on.)
//
//     owner                                     borrower
//     1. nothing is lent above `pages`          3. load `wanted`, acquire: a new number?
//     2. wanted := number + 1, pages; release   4. granted := that number, as many of the pages
//     5. load granted, acquire: that number?       as it likes; release
//        uses so many pages
namespace grpc_cxl::internal {

inline constexpr size_t kMaxAreaBytes = size_t{1} << 30;

// A loan, as the owner tells it to the borrower, over whatever channel they have.
struct BlockDescriptor {
  uint32_t begin;  // first byte lent, counted from the start of the owner's area
  uint32_t bytes;  // 0 in a request or response: no loan; else at least 1
};
static_assert(sizeof(BlockDescriptor) == 8);
static_assert(offsetof(BlockDescriptor, begin) == 0);
static_assert(offsetof(BlockDescriptor, bytes) == 4);

// Written by the owner. `pages_in_use` is for people, tools and tests that look at an arena from
// outside; the peer does not rely on it.
struct alignas(kWriterAlignment) BlockOwnerWords {
  SharedU64 pages_in_use;  // not free: being written, held by the owner, or lent
  SharedU64 wanted;        // NumberedPages(); the borrower answers it
};
static_assert(sizeof(BlockOwnerWords) == 128);
static_assert(offsetof(BlockOwnerWords, pages_in_use) == 0);
static_assert(offsetof(BlockOwnerWords, wanted) == 8);

// Written by the borrower. Entry n (counted from the first return ever) is at index
// n % entries and names the page in which the loan began.
struct alignas(kWriterAlignment) BlockReturnWords {
  SharedU64 returned;  // entries written so far; stored after the entry
  SharedU64 granted;   // NumberedPages(): the answer to `wanted`
};
static_assert(sizeof(BlockReturnWords) == 128);
static_assert(offsetof(BlockReturnWords, returned) == 0);
static_assert(offsetof(BlockReturnWords, granted) == 8);

// A question of the owner, or its answer: the question's number, from 1, and pages.
constexpr uint64_t NumberedPages(uint32_t number, uint32_t pages) {
  return uint64_t{number} << 32 | pages;
}
constexpr uint32_t NumberOf(uint64_t numbered) { return static_cast<uint32_t>(numbered >> 32); }
constexpr uint32_t PagesOf(uint64_t numbered) { return static_cast<uint32_t>(numbered); }

using BlockReturnEntry = SharedU32;

// Whether an area may have this size: whole pages, at most 1 GiB, 0 for no blocks.
constexpr bool IsAreaSize(uint64_t bytes) {
  return bytes <= kMaxAreaBytes && bytes % kPageBytes == 0;
}
constexpr size_t AreaPages(size_t area_bytes) { return area_bytes / kPageBytes; }

// Memory of the return entries of an area, in whole pages: no page has two writers.
constexpr size_t ReturnBytes(size_t area_bytes) {
  return (AreaPages(area_bytes) * sizeof(BlockReturnEntry) + kPageBytes - 1) / kPageBytes *
         kPageBytes;
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_BLOCKS_BLOCK_LAYOUT_H_
