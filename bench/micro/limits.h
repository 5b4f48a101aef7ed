#ifndef GRPC_CXL_BENCH_MICRO_LIMITS_H_
#define GRPC_CXL_BENCH_MICRO_LIMITS_H_

#include <benchmark/benchmark.h>

// What this machine can do at best, to be registered beside what it is a limit of, so that
// both are measured in the same run. "Between processes": this one and a forked one, which
// answers; an iteration is there and back.
namespace grpc_cxl::bench {

// memcpy() of range(0) bytes, range(1) times, in one thread; in memory that is used again.
void LimitMemcpy(benchmark::State& state);

// A word each way between two processes that spin: what the caches need to pass a line.
void LimitSharedWord(benchmark::State& state);

// A futex each way between two processes that sleep.
void LimitFutex(benchmark::State& state);

// A byte each way over a unix socket between two processes that sleep.
void LimitUnixSocket(benchmark::State& state);

// connect() to a unix socket that another process listens on, until its first byte comes.
void LimitUnixConnect(benchmark::State& state);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_MICRO_LIMITS_H_
