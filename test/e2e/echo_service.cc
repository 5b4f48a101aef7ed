#include "test/e2e/echo_service.h"

#include "absl/log/log.h"

namespace grpc_cxl::e2e {

std::string Name(ServerApi api) {
  switch (api) {
    case ServerApi::kSync:
      return "sync";
    case ServerApi::kCallback:
      return "callback";
    case ServerApi::kCompletionQueue:
      return "queue";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& out, ServerApi api) { return out << Name(api); }

std::unique_ptr<EchoService> EchoService::Make(ServerApi api) {
  switch (api) {
    case ServerApi::kSync:
      return MakeSyncEchoService();
    case ServerApi::kCallback:
      return MakeCallbackEchoService();
    case ServerApi::kCompletionQueue:
      return MakeCompletionQueueEchoService();
  }
  LOG(FATAL) << "no such API";
}

}  // namespace grpc_cxl::e2e
