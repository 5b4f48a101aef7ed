// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_JOURNAL_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_JOURNAL_H_

#include <grpcpp/support/server_interceptor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hotel_reservation {

// The calls that services have begun to serve, in a file that outlives them, or in a device's
// memory that outlives their machine. Lines of 64 bytes, filled up with zeros; the first word
// counts those after it, which several processes may add at the same time:
//
//   0.17.4711 Geo/Nearby        x-request-id and method; the number may be cut off on the left
//
// A line that does not fit any more is dropped, and the count goes on. Thread-safe.
class Journal {
 public:
  static constexpr size_t kLineBytes = 64;

  // The file has its size already.
  static absl::StatusOr<std::shared_ptr<Journal>> Open(const std::string& path);
  ~Journal();

  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  void Note(absl::string_view line);

 private:
  Journal(char* bytes, size_t size) : bytes_(bytes), size_(size) {}

  char* const bytes_;
  const size_t size_;
};

// An interceptor of a server that notes every call.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NoteCalls(
    std::shared_ptr<Journal> journal);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_JOURNAL_H_
