// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/priority.h"

#include "grpc_cxl/payload/priority_metadata.h"

namespace grpc_cxl {

void SetPriority(grpc::ClientContext* context, Priority priority) {
  context->AddMetadata(internal::kPriorityKey, internal::PriorityText(internal::FieldOf(priority)));
}

Priority PriorityOf(const grpc::ServerContextBase& context) {
  return internal::PriorityIn(context.client_metadata());
}

}  // namespace grpc_cxl
