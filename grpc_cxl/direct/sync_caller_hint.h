// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_SYNC_CALLER_HINT_H_
#define GRPC_CXL_DIRECT_SYNC_CALLER_HINT_H_

namespace grpc_cxl::internal {

// Whether a thread that makes calls waits for each of them (the synchronous API) or goes on
// (the callback API). gRPC does not tell an interceptor, but it shows afterwards: the end of
// a synchronous call is seen on the thread that began it, the end of any other elsewhere.
// So each thread remembers, for each method, that its last call ended here.
//
// A wrong guess costs a callback caller a delay of at most kPatienceNs, once; a synchronous
// caller one hop between threads, once. All functions are about the calling thread.

// How long a thread that is believed to wait is kept waiting before its call goes to the
// polling thread after all.
inline constexpr long kPatienceNs = 2'000'000;

// Whether the thread waited for its last call of this method (by address); it waits for one
// more. Clears the hint: a callback call ends on another thread, which cannot reset it.
bool TakeSyncCallerHint(const char* method);

// To be called when a call has ended on the thread that began it, or elsewhere.
void SetSyncCallerHint(const char* method, bool waits);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_SYNC_CALLER_HINT_H_
