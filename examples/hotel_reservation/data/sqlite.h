// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_SQLITE_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_SQLITE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct sqlite3;
struct sqlite3_stmt;

namespace hotel_reservation {

class Database;

// A prepared statement: bind the parameters (numbered from 1), then step through the rows. Used by
// one thread at a time.
class Statement {
 public:
  void Bind(int parameter, int64_t value);
  void Bind(int parameter, double value);
  void Bind(int parameter, absl::string_view value);  // copied

  // True: there is a row; false: the end, and the statement is reset.
  absl::StatusOr<bool> Step();

  // Steps to the end.
  absl::Status Run();

  // Columns of the current row, numbered from 0.
  int64_t Int(int column) const;
  double Double(int column) const;
  std::string Text(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// A connection to an SQLite file with a write-ahead log. A commit is on disk when it returns
// (synchronous = FULL). Waits up to 10 s for locks of other connections and processes. Used by one
// thread at a time.
class Database {
 public:
  // Creates the file if it is missing. An empty path is a temporary file that disappears with the
  // connection.
  static absl::StatusOr<Database> Open(const std::string& path);

  // Runs statements and drops their rows.
  absl::Status Execute(const char* sql);

  // An error in the SQL ends the process.
  Statement Prepare(absl::string_view sql);

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit Database(sqlite3* database) : database_(database) {}

  std::unique_ptr<sqlite3, Close> database_;
};

// Begins with BEGIN IMMEDIATE, which takes the write lock, and ends with ROLLBACK unless Commit()
// was called. REQUIRES: at the end, no statement is between rows.
class Transaction {
 public:
  static absl::StatusOr<Transaction> Begin(Database& database);
  Transaction(Transaction&& other) noexcept;
  ~Transaction();

  absl::Status Commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}

  Database* database_;  // null: nothing to roll back
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_SQLITE_H_
