// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_WEB_WEB_SERVER_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_WEB_WEB_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace hotel_reservation {

// Serves the Frontend service as HTTP/JSON, and a page for people:
//
//   GET  /                 the page
//   GET  /hotels           latitude, longitude, check_in, check_out
//   GET  /recommendations  measure (distance, rate or price), latitude, longitude
//   POST /user             user_name, password
//   POST /reservation      user_name, password, hotel_id, check_in, check_out, rooms (1),
//                          customer_name (user_name)
//
// Parameters are those of a query or of a form. Replies are the messages of hotels.proto as
// protobuf writes them in JSON, errors {"error": "a sentence"} with a fitting HTTP status.
//
// `frontend` leads to the Frontend service. `address` is HOST:PORT; port 0 takes any, and
// url() tells. Every connection has a thread while it is open, 64 at a time.
class WebServer {
 public:
  static absl::StatusOr<std::shared_ptr<WebServer>> Start(const std::string& address,
                                                          std::shared_ptr<grpc::Channel> frontend);
  virtual ~WebServer() = default;  // stops; requests that run are finished

  // "http://127.0.0.1:8080/"
  virtual const std::string& url() const = 0;
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_WEB_WEB_SERVER_H_
