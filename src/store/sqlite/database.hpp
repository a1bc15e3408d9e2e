// A SQLite connection and its statements. The first error sticks to the connection: statements after
// it do nothing and find no rows until the error is taken, so code that runs several of them checks
// once, at its end. Not thread-safe: a connection belongs to one thread at a time.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/env.hpp"
#include "base/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace dg::store::sqlite {

struct ConnectionOptions {
  std::string path;
  std::int64_t cache_kib = 1024;
  std::int64_t mmap_bytes = 0;
  std::chrono::milliseconds busy_timeout{5000};
};

class Database {
 public:
  // Opens or creates the file in WAL mode with synchronous=FULL and without automatic checkpoints.
  static Result<std::unique_ptr<Database>> open(const ConnectionOptions& options);
  // Opens what exists to read from it; the URI says how (mode, vfs). `alone`: nobody else has it open, so
  // that the index of the log can be in memory and not in a file. Sorting beyond the cache goes to
  // temporary files.
  static Result<std::unique_ptr<Database>> open_to_read(const std::string& uri, bool alone);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  bool failed() const { return error_.has_value(); }
  // The error that stuck, if any; the connection is usable again after it.
  Status take_status();
  void fail_with(Error error);

  // Runs a text of several statements that have no parameters.
  void run_script(const std::string& sql);
  // Ends an open transaction without its changes. An error stays.
  void rollback();
  // How many rows the last statement changed.
  std::int64_t changes() const;

  // Copies what the write-ahead log holds into the file as far as nobody is in the way.
  void checkpoint_passive();
  // The same to the end, waiting for readers for a moment, and empties the log. Says whether it did.
  bool checkpoint_truncate();
  // The size of the write-ahead log after this connection's last commit.
  std::int64_t wal_bytes() const { return wal_bytes_; }

  // Statements that still run then end with Errc::timeout. None: no limit.
  void set_deadline(std::optional<std::chrono::steady_clock::time_point> deadline) { deadline_ = deadline; }

 private:
  friend class Query;
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  Database() = default;
  static Result<std::unique_ptr<Database>> open_handle(const std::string& name, int flags);
  static Result<std::unique_ptr<Database>> usable(const std::string& name, std::unique_ptr<Database> db);
  void configure_to_read(bool alone);
  void configure(const ConnectionOptions& options);
  // The place of a text's prepared statement, which is there while it is not in use.
  sqlite3_stmt*& place_of(std::string_view sql);
  sqlite3_stmt* take_statement(std::string_view sql, sqlite3_stmt*& place);
  static void give_back(sqlite3_stmt* statement, sqlite3_stmt*& place);
  void note_error(int code, std::string_view sql);
  static int on_commit(void* self, sqlite3* handle, const char* name, int pages);
  static int on_progress(void* self);

  sqlite3* handle_ = nullptr;
  std::optional<Error> error_;
  std::int64_t wal_bytes_ = 0;
  std::optional<std::chrono::steady_clock::time_point> deadline_;
  std::chrono::milliseconds busy_timeout_{0};
  std::unordered_map<std::string, sqlite3_stmt*, TextHash, std::equal_to<>> idle_statements_;
};

// Bytes for a BLOB column.
struct Blob {
  std::string_view bytes;
};

// A statement with its parameters bound in order. Parameters are copied.
class Query {
 public:
  template <class... Values>
  Query(Database& db, std::string_view sql, const Values&... values) : Query(Plain{}, db, sql, true) {
    (bind(values), ...);
  }
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  // Moves to the next row; false behind the last one and after an error.
  bool next();

  // The columns of the row from left to right: each call gives the next one.
  std::string text();
  std::int64_t integer();
  bool flag() { return integer() != 0; }
  WallTime time() { return from_micros(integer()); }
  std::optional<std::string> optional_text();
  // The same without a copy; valid until next().
  std::string_view view();
  // Passes a column over.
  void skip() { ++column_; }

 private:
  template <class... Values>
  friend void execute(Database& db, std::string_view sql, const Values&... values);
  struct Plain {};
  Query(Plain, Database& db, std::string_view sql, bool copies);

  void bind(std::string_view value);
  void bind(Blob value);
  void bind(WallTime value) { bind(to_micros(value)); }
  void bind_integer(std::int64_t value);
  void bind_null();
  void bind(std::integral auto value) { bind_integer(static_cast<std::int64_t>(value)); }
  void bind(const std::string& value) { bind(std::string_view(value)); }
  void bind(const char* value) { bind(std::string_view(value)); }
  template <class T>
  void bind(const std::vector<T>& values) {
    for (const auto& value : values) bind(value);
  }
  template <class T>
  void bind(const std::optional<T>& value) {
    if (value) {
      bind(*value);
    } else {
      bind_null();
    }
  }

  Database& db_;
  sqlite3_stmt* statement_ = nullptr;
  sqlite3_stmt** place_ = nullptr;  // to which the statement goes back
  bool copies_;
  int parameter_ = 0;
  int column_ = 0;
};

// Runs a statement to its end. Parameters are not copied.
template <class... Values>
void execute(Database& db, std::string_view sql, const Values&... values) {
  Query query(Query::Plain{}, db, sql, false);
  (query.bind(values), ...);
  while (query.next()) {
  }
}

}  // namespace dg::store::sqlite
