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

// One prepared statement: bind the parameters (numbered from 1), step through the rows,
// reset. Used by one thread at a time.
class Statement {
 public:
  void Bind(int parameter, int64_t value);
  void Bind(int parameter, double value);
  void Bind(int parameter, absl::string_view value);  // copied

  // True when there is a row, false at the end, after which the statement is reset.
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

// A connection to an SQLite file, written with a write-ahead log; a commit is on disk when
// it returns (synchronous = FULL). Other connections and processes may use the same file;
// waits up to 10 s for their locks. Used by one thread at a time.
class Database {
 public:
  // Makes the file when there is none. An empty path is a temporary file that disappears
  // with the connection.
  static absl::StatusOr<Database> Open(const std::string& path);

  // Runs statements; rows that they return are dropped.
  absl::Status Execute(const char* sql);

  // The SQL is our own: an error in it ends the process.
  Statement Prepare(absl::string_view sql);

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit Database(sqlite3* database) : database_(database) {}

  std::unique_ptr<sqlite3, Close> database_;
};

// BEGIN IMMEDIATE, which takes the write lock at once, and ROLLBACK unless Commit() was
// called. Statements that returned rows must be at their end by then.
class Transaction {
 public:
  static absl::StatusOr<Transaction> Begin(Database& database);
  Transaction(Transaction&& other) noexcept;
  ~Transaction();

  absl::Status Commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}

  Database* database_;  // null when there is nothing left to roll back
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_DATA_SQLITE_H_
