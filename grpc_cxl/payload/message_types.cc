// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/payload/message_types.h"

#include <google/protobuf/descriptor.h>

#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>

#include "absl/base/no_destructor.h"
#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace grpc_cxl::internal {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::MessageFactory;
using google::protobuf::MethodDescriptor;

struct Cache {
  absl::Mutex mu;
  // Null where there is no generated code.
  std::unordered_map<std::string, std::unique_ptr<const MessageTypes>> types ABSL_GUARDED_BY(mu);
};

std::unique_ptr<const MessageTypes> LookUp(absl::string_view method) {
  // "/package.Service/Method" is described as "package.Service.Method".
  const size_t slash = method.rfind('/');
  if (method.size() < 2 || method[0] != '/' || slash == 0) return nullptr;
  std::string name(method.substr(1));
  name[slash - 1] = '.';
  const MethodDescriptor* descriptor = DescriptorPool::generated_pool()->FindMethodByName(name);
  if (descriptor == nullptr) return nullptr;
  MessageFactory* const factory = MessageFactory::generated_factory();
  auto types = std::make_unique<MessageTypes>();
  types->request = factory->GetPrototype(descriptor->input_type());
  types->response = factory->GetPrototype(descriptor->output_type());
  if (types->request == nullptr || types->response == nullptr) return nullptr;
  return types;
}

}  // namespace

const MessageTypes* FindMessageTypes(const char* method) {
  // Generated stubs pass the same literal every time. The text is compared all the same: a
  // generic stub's is on the heap, where another may follow it.
  thread_local struct {
    std::string method;
    const MessageTypes* types = nullptr;
  } last;
  if (!last.method.empty() && last.method == method) return last.types;
  static absl::NoDestructor<Cache> cache;
  absl::MutexLock lock(cache->mu);
  auto it = cache->types.find(method);
  if (it == cache->types.end()) it = cache->types.emplace(method, LookUp(method)).first;
  last.method = method;
  last.types = it->second.get();
  return last.types;
}

bool IsMessageOf(const void* object, const google::protobuf::Message& prototype) {
  return object != nullptr &&
         memcmp(object, static_cast<const void*>(&prototype), sizeof(void*)) == 0;
}

}  // namespace grpc_cxl::internal
