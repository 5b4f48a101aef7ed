// SPDX-License-Identifier: Apache-2.0
#include "absl/container/flat_hash_map.h"
#include "examples/hotel_reservation/data/data_set.h"
#include "examples/hotel_reservation/hotels.grpc.pb.h"
#include "examples/hotel_reservation/services/services.h"

namespace hotel_reservation {
namespace {

// The only service with the synchronous API, where every call has a thread.
class UserService : public User::Service {
 public:
  UserService(const std::vector<UserRow>& users, CallCounter* calls) : calls_(*calls) {
    for (const UserRow& user : users) hashes_.emplace(user.name, user.password_hash);
  }

 private:
  grpc::Status CheckUser(grpc::ServerContext*, const CheckUserRequest* request,
                         CheckUserReply* reply) override {
    calls_.Add();
    const auto user = hashes_.find(request->user_name());
    reply->set_correct(user != hashes_.end() && user->second == HashPassword(request->password()));
    return grpc::Status::OK;
  }

  absl::flat_hash_map<std::string, std::string> hashes_;  // by name; constant
  CallCounter& calls_;
};

}  // namespace

ServiceOr MakeUser(const Environment& environment) {
  absl::StatusOr<Database> database = OpenDataSet(environment.database);
  if (!database.ok()) return database.status();
  const absl::StatusOr<std::vector<UserRow>> users = ReadUsers(*database);
  if (!users.ok()) return users.status();
  return std::make_shared<UserService>(*users, environment.calls);
}

}  // namespace hotel_reservation
