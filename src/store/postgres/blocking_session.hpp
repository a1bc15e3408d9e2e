// A session whose calls wait for their answers, for commands that have nothing else to do meanwhile.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.hpp"
#include "store/postgres/conninfo.hpp"
#include "store/postgres/failure.hpp"
#include "store/postgres/params.hpp"
#include "store/postgres/rows.hpp"

struct pg_conn;
struct pg_result;

namespace dg::store::postgres {

// The first failure stays: what is asked after it is not sent, and gives no rows.
class BlockingSession {
 public:
  // Statements have no limit of time, and neither has what goes on between them.
  static Outcome<std::unique_ptr<BlockingSession>> open(Conninfo conninfo);
  ~BlockingSession();
  BlockingSession(const BlockingSession&) = delete;
  BlockingSession& operator=(const BlockingSession&) = delete;

  // The rows of one statement.
  Rows run(const std::string& sql);
  // The same of one that is given again and again, and is kept prepared.
  Rows run(std::string_view sql, const Params& params);

  const std::optional<Failure>& failure() const { return failure_; }
  Status status() const;

  // A number that was not given before, for names within the session.
  std::int64_t next_number() { return ++numbers_; }

 private:
  explicit BlockingSession(pg_conn* handle) : handle_(handle) {}
  Rows take(pg_result* result);
  bool prepare(std::string_view sql, const Params& params);

  pg_conn* handle_;
  std::unordered_map<std::string, std::string> prepared_;  // names, by text
  std::optional<Failure> failure_;
  std::int64_t numbers_ = 0;
};

// The rows of a statement, some at a time, within the session's transaction.
class Cursor {
 public:
  Cursor(BlockingSession& session, std::string_view sql);
  ~Cursor();
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  // Moves to the next row; false behind the last one and after a failure.
  bool next();
  Rows& row() { return rows_; }

 private:
  void fetch();

  BlockingSession& session_;
  std::string name_;
  Rows rows_;
  std::int64_t at_once_;
  bool ended_ = false;
};

}  // namespace dg::store::postgres
