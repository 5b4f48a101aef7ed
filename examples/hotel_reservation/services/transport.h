// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_TRANSPORT_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_TRANSPORT_H_

#include <grpcpp/grpcpp.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "examples/hotel_reservation/services/address_book.h"
#include "grpc_cxl/priority_level.h"

// The differences between transports, besides addresses.
namespace hotel_reservation {

std::shared_ptr<grpc::ServerCredentials> ServerCredentials(const AddressBook& addresses);

// To be called right after BuildAndStart(): offers direct calls on cxl and auto.
absl::Status Started(const AddressBook& addresses, grpc::Server& server);

// A channel to one of kServices, which shares no connection with others. After a disconnection it
// tries to connect every 50 to 500 ms, and calls fail at once with UNAVAILABLE until it succeeds.
// `priority`: of its calls, on cxl and auto.
std::shared_ptr<grpc::Channel> MakeChannel(
    const AddressBook& addresses, absl::string_view service,
    grpc_cxl::Priority priority = grpc_cxl::Priority::kDefault);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_TRANSPORT_H_
