// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_INVENTED_HOTELS_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_INVENTED_HOTELS_H_

#include <vector>

#include "examples/hotel_reservation/data/data_set.h"

namespace hotel_reservation {

// Hotel `number`, from 1. The first six are in San Francisco, the others in a line to the
// north-east, about a kilometre apart.
Hotel InventHotel(int number);

// Its rate plans: one for hotels 1 to 3 and every third hotel, else none.
std::vector<RatePlanRow> InventRatePlans(int number);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_INVENTED_HOTELS_H_
