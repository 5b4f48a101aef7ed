// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/data/sqlite.h"

#include <sqlite3.h>

#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace hotel_reservation {
namespace {

constexpr absl::Duration kLockTimeout = absl::Seconds(10);
constexpr char kSettings[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL";

absl::Status ErrorOf(sqlite3* database, absl::string_view what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", sqlite3_errmsg(database)));
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

void Statement::Bind(int parameter, int64_t value) {
  CHECK_EQ(sqlite3_bind_int64(statement_.get(), parameter, value), SQLITE_OK);
}

void Statement::Bind(int parameter, double value) {
  CHECK_EQ(sqlite3_bind_double(statement_.get(), parameter, value), SQLITE_OK);
}

void Statement::Bind(int parameter, absl::string_view value) {
  CHECK_EQ(sqlite3_bind_text(statement_.get(), parameter, value.data(),
                             static_cast<int>(value.size()), SQLITE_TRANSIENT),
           SQLITE_OK);
}

absl::StatusOr<bool> Statement::Step() {
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  sqlite3_reset(statement_.get());
  if (result == SQLITE_DONE) return false;
  return ErrorOf(sqlite3_db_handle(statement_.get()), sqlite3_sql(statement_.get()));
}

absl::Status Statement::Run() {
  for (;;) {
    const absl::StatusOr<bool> row = Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
  }
}

int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_.get(), column); }

double Statement::Double(int column) const {
  return sqlite3_column_double(statement_.get(), column);
}

std::string Statement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  return text == nullptr ? "" : text;
}

void Database::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

absl::StatusOr<Database> Database::Open(const std::string& path) {
  sqlite3* opened = nullptr;
  const int result =
      sqlite3_open_v2(path.c_str(), &opened,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(opened);
  if (result != SQLITE_OK) {
    return absl::FailedPreconditionError(
        absl::StrCat("Cannot open the database ", path, " (", sqlite3_errstr(result),
                     "): name a file in a folder that exists and can be written to."));
  }
  sqlite3_busy_timeout(opened, absl::ToInt64Milliseconds(kLockTimeout));
  const absl::Time deadline = absl::Now() + kLockTimeout;
  absl::Status usable = database.Execute(kSettings);
  // SQLite does not wait when two connections switch a file to WAL at the same time.
  while (!usable.ok() && sqlite3_errcode(opened) == SQLITE_BUSY && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(5));
    usable = database.Execute(kSettings);
  }
  if (!usable.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("The file ", path, " cannot be used as a database (", usable.message(),
                     "): name another, or one that does not exist yet."));
  }
  return database;
}

absl::Status Database::Execute(const char* sql) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) {
    return absl::OkStatus();
  }
  return ErrorOf(database_.get(), sql);
}

Statement Database::Prepare(absl::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int result = sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                        &statement, nullptr);
  CHECK_EQ(result, SQLITE_OK) << sqlite3_errmsg(database_.get()) << ": " << sql;
  return Statement(statement);
}

absl::StatusOr<Transaction> Transaction::Begin(Database& database) {
  if (absl::Status begun = database.Execute("BEGIN IMMEDIATE"); !begun.ok()) return begun;
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  if (database_ != nullptr) database_->Execute("ROLLBACK").IgnoreError();
}

absl::Status Transaction::Commit() {
  absl::Status committed = database_->Execute("COMMIT");
  if (committed.ok()) database_ = nullptr;
  return committed;
}

}  // namespace hotel_reservation
