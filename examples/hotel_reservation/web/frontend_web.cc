// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/web/frontend_web.h"

#include <grpcpp/grpcpp.h>

#include <iostream>
#include <string>

#include "absl/flags/flag.h"
#include "examples/hotel_reservation/web/web_server.h"

ABSL_FLAG(std::string, http, "127.0.0.1:8080",
          "HOST:PORT of the page and of HTTP/JSON; port 0: any free port; empty: no HTTP");

namespace hotel_reservation {

absl::StatusOr<std::shared_ptr<void>> StartWeb(grpc::Server& server) {
  const std::string address = absl::GetFlag(FLAGS_http);
  if (address.empty()) return nullptr;
  absl::StatusOr<std::shared_ptr<WebServer>> web =
      WebServer::Start(address, server.InProcessChannel({}));
  if (web.ok()) std::cout << "The page is at " << (*web)->url() << std::endl;
  return web;
}

}  // namespace hotel_reservation
