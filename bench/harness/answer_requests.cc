// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/answer_requests.h"

#include <signal.h>
#include <sys/prctl.h>

#include <string>

#include "absl/log/check.h"
#include "bench/harness/child_process.h"
#include "bench/harness/message_socket.h"

namespace grpc_cxl::bench {

int AnswerRequests(absl::FunctionRef<absl::StatusOr<Reply>(const Request&)> handle) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // if the coordinator has died before: end of file
  for (;;) {
    Request request;
    const absl::StatusOr<bool> received = ReceiveMessage(kControlFd, request);
    CHECK_OK(received.status());
    if (!*received) return 0;
    absl::StatusOr<Reply> reply = handle(request);
    if (!reply.ok()) {
      Reply error;
      error.set_error(std::string(reply.status().message()));
      reply = std::move(error);
    }
    if (!SendMessage(kControlFd, *reply).ok()) return 0;
  }
}

}  // namespace grpc_cxl::bench
