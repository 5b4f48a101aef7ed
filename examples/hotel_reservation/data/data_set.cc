// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/data/data_set.h"

#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "examples/hotel_reservation/data/invented_hotels.h"

namespace hotel_reservation {
namespace {

constexpr int kSchema = 1;  // version of the schema below; 0: a new file

constexpr char kTables[] = R"sql(
CREATE TABLE hotel (
  id TEXT PRIMARY KEY, name TEXT, phone_number TEXT, description TEXT,
  street_number TEXT, street_name TEXT, city TEXT, state TEXT, country TEXT, postal_code TEXT,
  latitude REAL, longitude REAL, rating REAL, price REAL, rooms INTEGER);
CREATE TABLE rate_plan (
  hotel_id TEXT, code TEXT, room_type TEXT, room_description TEXT, nightly_rate REAL);
CREATE TABLE user (name TEXT PRIMARY KEY, password_hash TEXT);
CREATE TABLE reservation (
  id INTEGER PRIMARY KEY, customer_name TEXT, hotel_id TEXT,
  first_night INTEGER, last_night INTEGER, rooms INTEGER);
CREATE TABLE booked (
  hotel_id TEXT, night INTEGER, rooms INTEGER, PRIMARY KEY (hotel_id, night)) WITHOUT ROWID;
)sql";

absl::Status Insert(Database& database, const Hotel& hotel) {
  Statement insert = database.Prepare(
      "INSERT INTO hotel VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)");
  int parameter = 0;
  for (const std::string* text :
       {&hotel.id, &hotel.name, &hotel.phone_number, &hotel.description, &hotel.street_number,
        &hotel.street_name, &hotel.city, &hotel.state, &hotel.country, &hotel.postal_code}) {
    insert.Bind(++parameter, absl::string_view(*text));
  }
  for (const double number : {hotel.latitude, hotel.longitude, hotel.rating, hotel.price}) {
    insert.Bind(++parameter, number);
  }
  insert.Bind(++parameter, int64_t{hotel.rooms});
  return insert.Run();
}

absl::Status Insert(Database& database, const RatePlanRow& plan) {
  Statement insert = database.Prepare("INSERT INTO rate_plan VALUES (?1,?2,?3,?4,?5)");
  insert.Bind(1, absl::string_view(plan.hotel_id));
  insert.Bind(2, absl::string_view(plan.code));
  insert.Bind(3, absl::string_view(plan.room_type));
  insert.Bind(4, absl::string_view(plan.room_description));
  insert.Bind(5, plan.nightly_rate);
  return insert.Run();
}

absl::Status InsertUser(Database& database, int number) {
  Statement insert = database.Prepare("INSERT INTO user VALUES (?1,?2)");
  insert.Bind(1, absl::string_view(UserName(number)));
  insert.Bind(2, absl::string_view(HashPassword(UserPassword(number))));
  return insert.Run();
}

absl::Status Fill(Database& database) {
  absl::Status status = database.Execute(kTables);
  for (int number = 1; number <= kHotels && status.ok(); ++number) {
    status = Insert(database, InventHotel(number));
    for (const RatePlanRow& plan : InventRatePlans(number)) {
      if (status.ok()) status = Insert(database, plan);
    }
  }
  for (int number = 0; number < kUsers && status.ok(); ++number) {
    status = InsertUser(database, number);
  }
  if (!status.ok()) return status;
  return database.Execute(absl::StrCat("PRAGMA user_version = ", kSchema).c_str());
}

absl::StatusOr<int64_t> SchemaOf(Database& database) {
  Statement version = database.Prepare("PRAGMA user_version");
  const absl::StatusOr<bool> row = version.Step();
  if (!row.ok()) return row.status();
  return version.Int(0);
}

// All rows of a query; `read` converts each to a T.
template <typename T, typename Read>
absl::StatusOr<std::vector<T>> ReadAll(Database& database, absl::string_view sql, Read read) {
  Statement rows = database.Prepare(sql);
  std::vector<T> all;
  for (;;) {
    const absl::StatusOr<bool> row = rows.Step();
    if (!row.ok()) return row.status();
    if (!*row) return all;
    all.push_back(read(rows));
  }
}

}  // namespace

absl::StatusOr<Database> OpenDataSet(const std::string& path) {
  absl::StatusOr<Database> database = Database::Open(path);
  if (!database.ok()) return database;
  // Under the write lock, so that only one process fills the file.
  absl::StatusOr<Transaction> transaction = Transaction::Begin(*database);
  if (!transaction.ok()) return transaction.status();
  const absl::StatusOr<int64_t> schema = SchemaOf(*database);
  if (!schema.ok()) return schema.status();
  if (*schema != 0 && *schema != kSchema) {
    return absl::FailedPreconditionError(absl::StrCat(
        "The file ", path, " is from another version of this program: name a new file."));
  }
  if (*schema == 0) {
    if (absl::Status filled = Fill(*database); !filled.ok()) {
      return absl::FailedPreconditionError(absl::StrCat("The file ", path, " cannot be filled (",
                                                        filled.message(),
                                                        "): name a file that does not exist yet."));
    }
  }
  if (absl::Status committed = transaction->Commit(); !committed.ok()) return committed;
  return database;
}

absl::StatusOr<std::vector<Hotel>> ReadHotels(Database& database) {
  return ReadAll<Hotel>(
      database,
      "SELECT id, name, phone_number, description, street_number, street_name, city, state,"
      " country, postal_code, latitude, longitude, rating, price, rooms"
      " FROM hotel ORDER BY CAST(id AS INTEGER)",
      [](const Statement& row) {
        Hotel hotel;
        int column = 0;
        for (std::string* text :
             {&hotel.id, &hotel.name, &hotel.phone_number, &hotel.description, &hotel.street_number,
              &hotel.street_name, &hotel.city, &hotel.state, &hotel.country, &hotel.postal_code}) {
          *text = row.Text(column++);
        }
        for (double* number : {&hotel.latitude, &hotel.longitude, &hotel.rating, &hotel.price}) {
          *number = row.Double(column++);
        }
        hotel.rooms = static_cast<int>(row.Int(column));
        return hotel;
      });
}

absl::StatusOr<std::vector<RatePlanRow>> ReadRatePlans(Database& database) {
  return ReadAll<RatePlanRow>(
      database, "SELECT hotel_id, code, room_type, room_description, nightly_rate FROM rate_plan",
      [](const Statement& row) {
        return RatePlanRow{row.Text(0), row.Text(1), row.Text(2), row.Text(3), row.Double(4)};
      });
}

absl::StatusOr<std::vector<UserRow>> ReadUsers(Database& database) {
  return ReadAll<UserRow>(database, "SELECT name, password_hash FROM user",
                          [](const Statement& row) {
                            return UserRow{row.Text(0), row.Text(1)};
                          });
}

}  // namespace hotel_reservation
