// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_SYNC_CALLER_HINT_H_
#define GRPC_CXL_DIRECT_SYNC_CALLER_HINT_H_

namespace grpc_cxl::internal {

// Guesses whether a thread waits for its calls (synchronous API) or not (callback API). gRPC
// does not tell interceptors, but the end of a call does: a synchronous call ends on the thread
// that began it, every other call on another thread. So each thread remembers, per method, where
// its last call ended.
//
// A wrong guess delays a callback caller by at most kPatienceNs, once; a synchronous caller
// pays a hop between threads, once. All functions are about the calling thread.

// How long Begin() blocks a thread that seems to be a synchronous caller; then the polling thread
// takes the call over.
inline constexpr long kPatienceNs = 2'000'000;

// Whether the thread waited for its last call of this method (by address). Clears the hint: a
// callback call ends on another thread, which cannot reset it.
bool TakeSyncCallerHint(const char* method);

// To be called at the end of a call. `waits`: it ended on the thread that began it.
void SetSyncCallerHint(const char* method, bool waits);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_SYNC_CALLER_HINT_H_
