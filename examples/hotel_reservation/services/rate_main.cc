// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/services/service_main.h"

int main(int argc, char** argv) {
  return hotel_reservation::ServiceMain(argc, argv,
                                        {{"rate", hotel_reservation::MakeRate, nullptr}});
}
