// SPDX-License-Identifier: Apache-2.0

// Micro benchmarks of the library's rooms, each beside the limit that the machine sets.
//
//   ./bazelw run -c opt //bench/micro
//   ./bazelw run -c opt //bench/micro -- --benchmark_filter=doorbell

#include <benchmark/benchmark.h>

BENCHMARK_MAIN();
