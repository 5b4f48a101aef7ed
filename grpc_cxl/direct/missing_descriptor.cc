// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/missing_descriptor.h"

#include <cstddef>
#include <functional>
#include <set>
#include <string>

#include "absl/base/no_destructor.h"
#include "absl/base/thread_annotations.h"
#include "absl/log/log.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace grpc_cxl::internal {
namespace {

struct Warned {
  absl::Mutex mu;
  std::set<std::string, std::less<>> services ABSL_GUARDED_BY(mu);
};

// The names in generic stubs may come from anywhere.
constexpr size_t kMostServices = 100;

}  // namespace

void WarnOfMissingDescriptor(const char* method) {
  absl::string_view service(method);
  service = service.substr(0, service.rfind('/'));
  if (!service.empty()) service.remove_prefix(1);
  static absl::NoDestructor<Warned> warned;
  {
    absl::MutexLock lock(warned->mu);
    if (warned->services.contains(service) || warned->services.size() >= kMostServices) return;
    warned->services.emplace(service);
  }
  LOG(WARNING) << "calls to the service " << service
               << " are not direct: its descriptor is not linked into this program. If it has "
                  "generated stubs, link the library of its .pb.cc as a whole (Bazel: alwayslink; "
                  "CMake: $<LINK_LIBRARY:WHOLE_ARCHIVE,...>; otherwise: -Wl,--whole-archive)";
}

}  // namespace grpc_cxl::internal
