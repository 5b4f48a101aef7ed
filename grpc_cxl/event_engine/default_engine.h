// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_DEFAULT_ENGINE_H_
#define GRPC_CXL_EVENT_ENGINE_DEFAULT_ENGINE_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>
#include <optional>

#include "absl/strings/string_view.h"
#include "grpc_cxl/event_engine/cxl_engine.h"

namespace grpc_cxl::internal {

// The process's default engine, which all channels and servers share: those with TCP, unix sockets
// and file descriptors see gRPC's own engine with all of its extensions, and a `cxl:` name is an
// error that says which credentials it needs. It differs in one thing: closures of polling threads
// stay there, because gRPC runs the callback API's closures on the default engine.
//
// A server gets its engine before its credentials learn the address, so the default engine is also
// the engine of servers with `cxl:` addresses: within a CxlListening it acts as CxlEngine.
class DefaultEngine final : public CxlEngine {
 public:
  // `cxl` is the engine of channels with `cxl:` names: both share its threads.
  explicit DefaultEngine(const CxlEngine& cxl) : CxlEngine(cxl) {}

  absl::StatusOr<std::unique_ptr<DNSResolver>> GetDNSResolver(
      const DNSResolver::ResolverOptions& options) override;
  void* QueryExtension(absl::string_view id) override;
};

// While one exists, gRPC listens on an address with our credentials on this thread.
class CxlListening {
 public:
  // `network` is the number of the ListenContext of a network address (SettingsRegistry); a `cxl:`
  // address holds its number itself.
  explicit CxlListening(std::optional<int> network);
  CxlListening(const CxlListening&) = delete;
  CxlListening& operator=(const CxlListening&) = delete;
  ~CxlListening();

  // Of the innermost one of this thread.
  static std::optional<int> Network();

 private:
  CxlListening* const outer_;
  const std::optional<int> network_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_DEFAULT_ENGINE_H_
