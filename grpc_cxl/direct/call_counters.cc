#include "grpc_cxl/direct/call_counters.h"

namespace grpc_cxl::internal {

CallCounters& TheCallCounters() {
  static CallCounters counters;
  return counters;
}

}  // namespace grpc_cxl::internal
