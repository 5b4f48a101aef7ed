// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/load_generator/request_mix.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "examples/hotel_reservation/data/data_set.h"

namespace hotel_reservation {
namespace {

constexpr int kFirstDay = 9, kLastCheckIn = 23, kLastDay = 24;

std::string April(int day) { return absl::StrFormat("2015-04-%02d", day); }

Stay MakeStay(int check_in, int check_out) {
  Stay stay;
  stay.set_check_in(April(check_in));
  stay.set_check_out(April(check_out));
  return stay;
}

}  // namespace

double RequestMix::Between(double low, double high) {
  return low + (high - low) * static_cast<double>(random_() >> 11) / 9007199254740992.0;  // 2^53
}

Location RequestMix::Place() {
  Location place;
  place.set_latitude(Between(38.0235 - 0.2405, 38.0235 + 0.2405));
  place.set_longitude(Between(-122.095 - 0.157, -122.095 + 0.168));
  return place;
}

int RequestMix::User() { return Pick(kUsers); }

FrontendRequest RequestMix::Next() {
  const int dice = Pick(1000);
  const int check_in = kFirstDay + Pick(kLastCheckIn - kFirstDay + 1);
  if (dice < 600) {
    SearchHotelsRequest search;
    *search.mutable_location() = Place();
    *search.mutable_stay() = MakeStay(check_in, check_in + 1 + Pick(kLastDay - check_in));
    return search;
  }
  if (dice < 990) {
    RecommendRequest recommend;
    *recommend.mutable_location() = Place();
    recommend.set_measure(static_cast<Measure>(DISTANCE + Pick(3)));
    return recommend;
  }
  const int user = User();
  if (dice < 995) {
    LogInRequest log_in;
    log_in.set_user_name(UserName(user));
    log_in.set_password(UserPassword(user));
    return log_in;
  }
  ReserveRequest reserve;
  reserve.set_user_name(UserName(user));
  reserve.set_password(UserPassword(user));
  reserve.set_customer_name(UserName(user));
  reserve.set_hotel_id(absl::StrCat(1 + Pick(kHotels)));
  *reserve.mutable_stay() = MakeStay(check_in, std::min(check_in + 1 + Pick(5), 30));
  reserve.set_rooms(1);
  return reserve;
}

}  // namespace hotel_reservation
