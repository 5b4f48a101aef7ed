// SPDX-License-Identifier: Apache-2.0

// Allocating, lending, borrowing and returning a block in one thread, beside what a block saves:
// memcpy() of the bytes in and out of a ring.

#include <benchmark/benchmark.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/types/span.h"
#include "bench/micro/limits.h"
#include "bench/micro/peer_process.h"
#include "grpc_cxl/blocks/block_borrower.h"
#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/blocks/block_pool.h"

namespace grpc_cxl::bench {
namespace {

constexpr size_t kPages = (4 << 20) / internal::kPageBytes;  // the default of a connection

struct Area {
  char pages[kPages][internal::kPageBytes];
  internal::BlockOwnerWords owner;
  internal::BlockReturnWords returns;
  internal::BlockReturnEntry entries[kPages];
};

void LendAndReturn(benchmark::State& state) {
  const auto memory = std::make_shared<Shared<Area>>();
  Area* const area = memory->get();
  const absl::Span<char> bytes(area->pages[0], sizeof(area->pages));
  const auto pool = std::make_shared<internal::BlockPool>(
      memory, bytes, &area->owner, &area->returns.returned, absl::MakeConstSpan(area->entries));
  const auto borrower = std::make_shared<internal::BlockBorrower>(
      memory, bytes, &area->returns.returned, &area->owner, absl::MakeSpan(area->entries));
  for (auto _ : state) {
    auto block = pool->Allocate(state.range(0));
    CHECK_OK(block.status());
    const std::optional<internal::BlockDescriptor> lent = pool->Lend(block->memory());
    CHECK(lent.has_value());
    block->Reset();
    auto loan = borrower->Borrow(*lent);
    CHECK_OK(loan.status());
    benchmark::DoNotOptimize(loan->bytes().data());
  }  // returns the loan, which the next Allocate() takes
}

BENCHMARK(LendAndReturn)
    ->Name("blocks/lend_and_return")
    ->Arg(16 << 10)
    ->Arg(64 << 10)
    ->Arg(1 << 20);
BENCHMARK(LimitMemcpy)
    ->Name("blocks/limit/memcpy_in_and_out")
    ->Args({16 << 10, 2})
    ->Args({64 << 10, 2})
    ->Args({1 << 20, 2});

}  // namespace
}  // namespace grpc_cxl::bench
