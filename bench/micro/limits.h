// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_MICRO_LIMITS_H_
#define GRPC_CXL_BENCH_MICRO_LIMITS_H_

#include <benchmark/benchmark.h>

// Limits of the machine, to be registered beside the benchmark that they limit, so that one run
// measures both. "Between processes" is a round trip between this process and a forked one.
namespace grpc_cxl::bench {

// memcpy() of range(0) bytes, range(1) times, in one thread, with the same memory every time.
void LimitMemcpy(benchmark::State& state);

// A word each way between two spinning processes: the time that caches take to pass a line.
void LimitSharedWord(benchmark::State& state);

// A futex each way between two sleeping processes.
void LimitFutex(benchmark::State& state);

// A byte each way over a unix socket between two sleeping processes.
void LimitUnixSocket(benchmark::State& state);

// connect() to a unix socket on which another process listens, until its first byte arrives.
void LimitUnixConnect(benchmark::State& state);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_MICRO_LIMITS_H_
