// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_ADDRESS_BOOK_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_ADDRESS_BOOK_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hotel_reservation {

// The eight services. Users talk to the first.
inline constexpr absl::string_view kServices[] = {
    "frontend", "search", "geo", "rate", "profile", "recommendation", "reservation", "user"};

inline constexpr absl::string_view kTransports[] = {"tcp", "unix", "cxl", "auto"};

// The addresses of the services. Together with transport.h it holds all differences between the
// transports:
//
//   transport  base               default            address of geo
//   tcp, auto  the first port     7100               127.0.0.1:7102
//              PREFIX:PORT                           dns:///PREFIXgeo:7102; it listens on
//              0.0.0.0:7102
//   unix       a folder           see the function   unix:FOLDER/geo
//   cxl        a prefix of names  hotel              cxl:///hotel-geo
//
// "auto" goes through memory where the peer is on this host, and over TCP where it is not.
// Copyable; immutable.
class AddressBook {
 public:
  // An empty `base` is the default; that of unix is the folder hotel_reservation-<uid> in the
  // temporary directory, created if missing. INVALID_ARGUMENT for a bad transport or base.
  static absl::StatusOr<AddressBook> Make(absl::string_view transport, absl::string_view base);

  // `service` is one of kServices.
  std::string AddressOf(absl::string_view service) const;
  // Where it listens.
  std::string ListeningAddressOf(absl::string_view service) const;

  const std::string& transport() const { return transport_; }
  const std::string& base() const { return base_; }
  bool uses_memory() const { return transport_ == "cxl" || transport_ == "auto"; }

 private:
  AddressBook(std::string transport, std::string base)
      : transport_(std::move(transport)), base_(std::move(base)) {}

  int PortOf(absl::string_view service) const;

  std::string transport_;
  std::string base_;
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_SERVICES_ADDRESS_BOOK_H_
