// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_STATIC_TEXT_H_
#define GRPC_CXL_DIRECT_STATIC_TEXT_H_

namespace grpc_cxl::internal {

// Whether `text` lies in memory of the program or a library that nobody may write: a literal, as
// the method's name of a generated stub is. The name of a generic stub is in a std::string. So this
// tells, before the first message, that a stream's messages are of generated classes.
bool IsLiteral(const char* text);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_STATIC_TEXT_H_
