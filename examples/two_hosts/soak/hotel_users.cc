// SPDX-License-Identifier: Apache-2.0
#include "examples/two_hosts/soak/hotel_users.h"

#include <variant>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "examples/hotel_reservation/data/data_set.h"
#include "examples/hotel_reservation/load_generator/request_mix.h"
#include "examples/hotel_reservation/services/transport.h"
#include "examples/two_hosts/soak/parcel_content.h"

namespace soak {
namespace {

namespace hotel = hotel_reservation;

constexpr size_t kQuestions = 20;  // of each kind

std::shared_ptr<hotel::Frontend::Stub> FrontendStub() {
  const absl::StatusOr<hotel::AddressBook> addresses = hotel::AddressBook::Make("cxl", "");
  CHECK_OK(addresses);
  return hotel::Frontend::NewStub(hotel::MakeChannel(*addresses, "frontend"));
}

// A night of 2016 in one of the hotels.
hotel::ReserveRequest Reservation(const std::string& id) {
  const uint64_t dice = Digest(id);
  hotel::ReserveRequest request;
  const int user = static_cast<int>(dice % hotel::kUsers);
  request.set_user_name(hotel::UserName(user));
  request.set_password(hotel::UserPassword(user));
  request.set_customer_name(id);
  request.set_hotel_id(absl::StrCat(1 + (dice >> 10) % hotel::kHotels));
  const unsigned month = 1 + (dice >> 20) % 12, day = 1 + (dice >> 30) % 27;
  request.mutable_stay()->set_check_in(absl::StrFormat("2016-%02u-%02u", month, day));
  request.mutable_stay()->set_check_out(absl::StrFormat("2016-%02u-%02u", month, day + 1));
  request.set_rooms(1);
  return request;
}

}  // namespace

HotelUsers::HotelUsers() : stub_(FrontendStub()) {
  hotel::RequestMix mix(1);
  while (searches_.size() < kQuestions || recommendations_.size() < kQuestions) {
    const hotel::FrontendRequest request = mix.Next();
    if (const auto* search = std::get_if<hotel::SearchHotelsRequest>(&request);
        search != nullptr && searches_.size() < kQuestions) {
      searches_.push_back(*search);
    }
    if (const auto* recommend = std::get_if<hotel::RecommendRequest>(&request);
        recommend != nullptr && recommendations_.size() < kQuestions) {
      recommendations_.push_back(*recommend);
    }
  }
  found_.resize(kQuestions);
  recommended_.resize(kQuestions);
}

void HotelUsers::Check(const google::protobuf::MessageLite& reply, Answers HotelUsers::*answers,
                       size_t which, const std::string& id) {
  const std::string text = reply.SerializeAsString();
  absl::MutexLock lock(mu_);
  std::optional<std::string>& answer = (this->*answers)[which];
  if (!answer.has_value()) answer = text;
  if (text != *answer) {
    Wrong(absl::StrCat("foreign bytes: the hotel's answer to ", id, " is another than before: ",
                       text.size(), " bytes instead of ", answer->size()));
  }
}

Path::Call HotelUsers::Search() {
  return [this, next = size_t{0}](grpc::ClientContext& context, const std::string& id) mutable {
    const size_t i = next++ % kQuestions;
    hotel::SearchHotelsReply reply;
    const grpc::Status status = stub_->SearchHotels(&context, searches_[i], &reply);
    if (status.ok()) Check(reply, &HotelUsers::found_, i, id);
    return status;
  };
}

Path::Call HotelUsers::Recommend() {
  return [this, next = size_t{0}](grpc::ClientContext& context, const std::string& id) mutable {
    const size_t i = next++ % kQuestions;
    hotel::RecommendReply reply;
    const grpc::Status status = stub_->Recommend(&context, recommendations_[i], &reply);
    if (status.ok()) Check(reply, &HotelUsers::recommended_, i, id);
    return status;
  };
}

Path::Call HotelUsers::Reserve() {
  return [this](grpc::ClientContext& context, const std::string& id) {
    hotel::ReserveReply reply;
    const grpc::Status status = stub_->Reserve(&context, Reservation(id), &reply);
    // A full hotel is a right answer.
    return status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED ? grpc::Status::OK : status;
  };
}

std::string HotelUsers::AnswersDigest() {
  absl::MutexLock lock(mu_);
  uint64_t digest = 0;
  for (const Answers* answers : {&found_, &recommended_}) {
    for (const std::optional<std::string>& answer : *answers) {
      if (!answer.has_value()) return "";
      digest = Mix(digest + Digest(*answer));
    }
  }
  return absl::StrFormat("%016x", digest);
}

}  // namespace soak
