// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_HARNESS_INTERRUPT_H_
#define GRPC_CXL_BENCH_HARNESS_INTERRUPT_H_

namespace grpc_cxl::bench {

// Blocks SIGINT (Ctrl-C), SIGTERM and SIGHUP, so that a program can wait for them and leave
// through its destructors, which end processes and remove files. Call it at the start of main(),
// before there are threads.
void CatchInterrupts();

// Becomes, and stays, readable with the first such signal. -1 before CatchInterrupts().
int InterruptFd();

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_HARNESS_INTERRUPT_H_
