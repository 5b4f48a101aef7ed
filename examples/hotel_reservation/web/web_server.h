// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_WEB_WEB_SERVER_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_WEB_WEB_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace hotel_reservation {

// Serves the Frontend service as HTTP/JSON, and a page that uses it:
//
//   GET  /                 the page
//   GET  /hotels           latitude, longitude, check_in, check_out
//   GET  /recommendations  measure (distance, rate or price), latitude, longitude
//   POST /user             user_name, password
//   POST /reservation      user_name, password, hotel_id, check_in, check_out, rooms (1),
//                          customer_name (user_name)
//
// Parameters come in a query or a form. Replies are messages of hotels.proto in protobuf's JSON;
// errors are {"error": "a sentence"} with an HTTP status.
//
// `frontend` is a channel to the Frontend service. `address` is HOST:PORT; with port 0, url() has
// the chosen port. Serves up to 64 connections at a time, each with a thread.
class WebServer {
 public:
  static absl::StatusOr<std::shared_ptr<WebServer>> Start(const std::string& address,
                                                          std::shared_ptr<grpc::Channel> frontend);
  virtual ~WebServer() = default;  // finishes the requests that run

  // "http://127.0.0.1:8080/"
  virtual const std::string& url() const = 0;
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_WEB_WEB_SERVER_H_
