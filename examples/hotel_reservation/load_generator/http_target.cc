// SPDX-License-Identifier: Apache-2.0
#include <httplib.h>

#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "examples/hotel_reservation/load_generator/target.h"

namespace hotel_reservation {
namespace {

void AddPlace(httplib::Params& to, const Location& place) {
  to.emplace("latitude", absl::StrCat(place.latitude()));
  to.emplace("longitude", absl::StrCat(place.longitude()));
}

void AddStay(httplib::Params& to, const Stay& stay) {
  to.emplace("check_in", stay.check_in());
  to.emplace("check_out", stay.check_out());
}

httplib::Result Fetch(httplib::Client& client, const SearchHotelsRequest& request) {
  httplib::Params parameters;
  AddPlace(parameters, request.location());
  AddStay(parameters, request.stay());
  return client.Get("/hotels", parameters, httplib::Headers());
}

httplib::Result Fetch(httplib::Client& client, const RecommendRequest& request) {
  httplib::Params parameters;
  AddPlace(parameters, request.location());
  parameters.emplace("measure", request.measure() == DISTANCE ? "distance"
                                : request.measure() == RATE   ? "rate"
                                                              : "price");
  return client.Get("/recommendations", parameters, httplib::Headers());
}

httplib::Result Fetch(httplib::Client& client, const LogInRequest& request) {
  const httplib::Params parameters = {{"user_name", request.user_name()},
                                      {"password", request.password()}};
  return client.Post("/user", parameters);
}

httplib::Result Fetch(httplib::Client& client, const ReserveRequest& request) {
  httplib::Params parameters = {{"user_name", request.user_name()},
                                {"password", request.password()},
                                {"hotel_id", request.hotel_id()},
                                {"rooms", absl::StrCat(request.rooms())},
                                {"customer_name", request.customer_name()}};
  AddStay(parameters, request.stay());
  return client.Post("/reservation", parameters);
}

absl::Status ToStatus(const httplib::Result& result) {
  if (!result) return absl::UnavailableError(httplib::to_string(result.error()));
  switch (result->status) {
    case 200:
      return absl::OkStatus();
    case 409:
      return absl::ResourceExhaustedError(result->body);
    case 504:
      return absl::DeadlineExceededError(result->body);
    default:
      return absl::UnavailableError(absl::StrCat("HTTP ", result->status, " ", result->body));
  }
}

class HttpTargetImpl : public Target {
 public:
  HttpTargetImpl(const std::string& address, int connections, absl::Duration deadline) {
    for (int i = 0; i < connections; ++i) {
      threads_.emplace_back([this, address, deadline] { Loop(address, deadline); });
    }
  }

  ~HttpTargetImpl() override {
    {
      absl::MutexLock lock(mu_);
      stop_ = true;
    }
    for (std::thread& thread : threads_) thread.join();
  }

  void Send(const FrontendRequest& request, Done done) override {
    absl::MutexLock lock(mu_);
    queue_.push_back({request, std::move(done)});
  }

 private:
  struct Waiting {
    FrontendRequest request;
    Done done;
  };

  bool HasNews() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return stop_ || !queue_.empty(); }

  // One connection.
  void Loop(const std::string& address, absl::Duration deadline) {
    httplib::Client client("http://" + address);
    client.set_keep_alive(true);
    client.set_tcp_nodelay(true);
    client.set_read_timeout(absl::ToChronoMilliseconds(deadline));
    for (;;) {
      Waiting next;
      {
        absl::MutexLock lock(mu_);
        mu_.Await(absl::Condition(this, &HttpTargetImpl::HasNews));
        if (queue_.empty()) return;
        next = std::move(queue_.front());
        queue_.pop_front();
      }
      next.done(ToStatus(
          std::visit([&](const auto& message) { return Fetch(client, message); }, next.request)));
    }
  }

  absl::Mutex mu_;
  std::deque<Waiting> queue_ ABSL_GUARDED_BY(mu_);
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<Target> HttpTarget(const std::string& address, int connections,
                                   absl::Duration deadline) {
  return std::make_unique<HttpTargetImpl>(address, connections, deadline);
}

}  // namespace hotel_reservation
