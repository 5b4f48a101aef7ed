// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_SERVICE_NAME_H_
#define GRPC_CXL_RENDEZVOUS_SERVICE_NAME_H_

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace grpc_cxl::internal {

// The name under which a server is found: parts of [A-Za-z0-9._-]+ with `/` between
// them, 1 to 80 characters in all; no part is "." or "..". Example: "shop/payments".
class ServiceName {
 public:
  // The scheme of our targets, with its colon: "cxl:".
  static constexpr absl::string_view kScheme = "cxl:";

  static constexpr size_t kMaxLength = 80;

  // INVALID_ARGUMENT with a sentence that quotes `name` and says what is wrong with it.
  static absl::StatusOr<ServiceName> Parse(absl::string_view name);

  // Whether a gRPC target has our scheme, in upper or lower case.
  static bool IsTarget(absl::string_view target);

  // From a gRPC target: "cxl:///shop/payments", or "cxl:/shop/payments" and
  // "cxl:shop/payments", which mean the same. A host, as in "cxl://node3/payments", is
  // refused. A query ("?x=y") and a fragment ("#f") mean nothing: gRPC drops them before it
  // resolves a channel's target, so servers ignore them as well.
  static absl::StatusOr<ServiceName> FromTarget(absl::string_view target);

  // A name that no target can have: it has characters besides those of Parse(), none of them `/`,
  // `@` or one that gRPC would percent-encode. At most kMaxLength characters.
  static ServiceName Reserved(std::string name) { return ServiceName(std::move(name)); }

  const std::string& str() const { return name_; }

  // The name of its files in the rendezvous directory, without the suffix: `/`, which no file name
  // can have, becomes `+`, which no service name can have. As long as the name itself, because a
  // unix socket's address has space for little more.
  std::string FileStem() const;

 private:
  explicit ServiceName(std::string name) : name_(std::move(name)) {}
  std::string name_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_SERVICE_NAME_H_
