// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_PAYLOAD_MESSAGE_TYPES_H_
#define GRPC_CXL_PAYLOAD_MESSAGE_TYPES_H_

#include <google/protobuf/message.h>

namespace grpc_cxl::internal {

// The generated message classes of a unary method, as their default instances. An
// interceptor is given messages as untyped pointers; before it may treat one as a protobuf
// message, it has to know that it is one.
struct MessageTypes {
  const google::protobuf::Message* request = nullptr;
  const google::protobuf::Message* response = nullptr;
};

// The types of "/package.Service/Method"; null when this process has no generated code for
// it. Thread-safe; found once a method.
const MessageTypes* FindMessageTypes(const char* method);

// Whether `object` is a message of just the class of `prototype`.
//
// Compares the first word of the object with the prototype's. In a generated message that is
// the pointer to the class's virtual table, which no two classes share and which is no
// address of anything else. Other objects that gRPC passes for a method with generated code are
// a grpc::ByteBuffer (a GenericStub), whose first word is a heap address or null, or of another
// class derived from MessageLite (a DynamicMessage), whose first word is another table. All of
// them are at least a pointer in size, so the read is inside the object. A
// SerializationTraits of the user's own for a type without a first word would need a
// hand-written stub for a method whose generated code is linked in as well.
bool IsMessageOf(const void* object, const google::protobuf::Message& prototype);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_PAYLOAD_MESSAGE_TYPES_H_
