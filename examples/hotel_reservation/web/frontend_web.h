// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_WEB_FRONTEND_WEB_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_WEB_FRONTEND_WEB_H_

#include <grpcpp/server.h>

#include <memory>

#include "absl/status/statusor.h"

namespace hotel_reservation {

// The page and HTTP/JSON of the frontend that runs on `server`, at the address that --http gives;
// null where it gives none. Prints where.
absl::StatusOr<std::shared_ptr<void>> StartWeb(grpc::Server& server);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_WEB_FRONTEND_WEB_H_
