// What a statement gave: rows in PostgreSQL's binary format, read from left to right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/env.hpp"

struct pg_result;

namespace dg::store::postgres {

class Rows {
 public:
  Rows() = default;
  // Takes over the result, which may be null.
  explicit Rows(pg_result* result);

  std::int64_t size() const { return size_; }
  // The memory that they take.
  std::size_t bytes() const;
  // Moves to the next row, at first to the first one; false behind the last.
  bool next();

  // The columns of the row in order: each call gives the next one. The statement's column types must be those
  // that the callers take: text, bytea or jsonb as text; bigint; boolean; timestamptz.
  std::string text() { return std::string(view()); }
  // The same without a copy; valid as long as the result.
  std::string_view view();
  std::optional<std::string> optional_text();
  std::int64_t integer();
  bool flag();
  WallTime time();
  std::optional<WallTime> optional_time();
  // Whether the column that comes next is null.
  bool is_null() const;
  // Passes a column over.
  void skip() { ++column_; }

 private:
  struct Clear {
    void operator()(pg_result* result) const;
  };
  std::shared_ptr<pg_result> result_;
  std::int64_t size_ = 0;
  std::int64_t row_ = -1;
  int column_ = 0;
};

}  // namespace dg::store::postgres
