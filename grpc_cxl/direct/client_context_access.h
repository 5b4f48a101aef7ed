// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_CLIENT_CONTEXT_ACCESS_H_
#define GRPC_CXL_DIRECT_CLIENT_CONTEXT_ACCESS_H_

#include <grpcpp/client_context.h>

#include <string>

namespace grpc_cxl::internal {
struct ContextAccess {};
}  // namespace grpc_cxl::internal

// gRPC has no getter for two settings of a ClientContext that a direct call must respect. Its
// public header befriends this template, so a specialisation of our own may read them. Should a
// later gRPC rename the members, this does not compile.
template <>
class grpc::internal::BlockingUnaryCallImpl<grpc_cxl::internal::ContextAccess,
                                            grpc_cxl::internal::ContextAccess> {
 public:
  static const std::string& Authority(const grpc::ClientContext& context) {
    return context.authority_;
  }
  static bool IsFromServerContext(const grpc::ClientContext& context) {
    return context.propagate_from_call_ != nullptr;
  }
};

namespace grpc_cxl::internal {

// The text of ClientContext::set_authority(); empty: not set.
inline const std::string& AuthorityOf(const grpc::ClientContext& context) {
  return grpc::internal::BlockingUnaryCallImpl<ContextAccess, ContextAccess>::Authority(context);
}

// Whether ClientContext::FromServerContext() made it: its call inherits what only gRPC's core
// knows.
inline bool IsFromServerContext(const grpc::ClientContext& context) {
  return grpc::internal::BlockingUnaryCallImpl<ContextAccess, ContextAccess>::IsFromServerContext(
      context);
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_CLIENT_CONTEXT_ACCESS_H_
