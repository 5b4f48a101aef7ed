#ifndef GRPC_CXL_BENCH_HARNESS_INTERRUPT_H_
#define GRPC_CXL_BENCH_HARNESS_INTERRUPT_H_

namespace grpc_cxl::bench {

// Makes Ctrl-C (SIGINT, SIGTERM, SIGHUP) something that can be waited for, so that a
// program leaves by way of its destructors: processes ended, files removed. The first
// thing in main(), before there are threads.
void CatchInterrupts();

// Becomes readable with the first such signal, and stays so. -1 before CatchInterrupts().
int InterruptFd();

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_HARNESS_INTERRUPT_H_
