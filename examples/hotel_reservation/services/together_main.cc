// SPDX-License-Identifier: Apache-2.0

// All eight services in one process, each with its own server and address as in a process of its
// own.

#include "examples/hotel_reservation/services/service_main.h"
#include "examples/hotel_reservation/web/frontend_web.h"

int main(int argc, char** argv) {
  using namespace hotel_reservation;
  return ServiceMain(argc, argv,
                     {{"geo", MakeGeo, nullptr},
                      {"rate", MakeRate, nullptr},
                      {"profile", MakeProfile, nullptr},
                      {"recommendation", MakeRecommendation, nullptr},
                      {"reservation", MakeReservation, nullptr},
                      {"user", MakeUser, nullptr},
                      {"search", MakeSearch, nullptr},
                      {"frontend", MakeFrontend, StartWeb}});
}
