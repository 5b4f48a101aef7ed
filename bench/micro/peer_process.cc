// SPDX-License-Identifier: Apache-2.0
#include "bench/micro/peer_process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace grpc_cxl::bench {

PeerProcess::PeerProcess(const std::function<void()>& body) : pid_(fork()) {
  PCHECK(pid_ >= 0);
  if (pid_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  body();
  _exit(0);
}

PeerProcess::~PeerProcess() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

}  // namespace grpc_cxl::bench
