// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/services/service_main.h"
#include "examples/hotel_reservation/web/frontend_web.h"

int main(int argc, char** argv) {
  return hotel_reservation::ServiceMain(
      argc, argv, {{"frontend", hotel_reservation::MakeFrontend, hotel_reservation::StartWeb}});
}
