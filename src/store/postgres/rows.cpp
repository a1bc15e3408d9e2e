#include "store/postgres/rows.hpp"

#include <libpq-fe.h>

#include <bit>
#include <cstring>

#include "store/postgres/params.hpp"

namespace dg::store::postgres {

void Rows::Clear::operator()(pg_result* result) const {
  PQclear(result);
}

Rows::Rows(pg_result* result) : result_(result, Clear{}), size_(result == nullptr ? 0 : PQntuples(result)) {}

std::size_t Rows::bytes() const {
  return PQresultMemorySize(result_.get());
}

bool Rows::next() {
  column_ = 0;
  return ++row_ < size_;
}

std::string_view Rows::view() {
  const int row = static_cast<int>(row_);
  const int column = column_++;
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

bool Rows::is_null() const {
  return PQgetisnull(result_.get(), static_cast<int>(row_), column_) != 0;
}

std::optional<std::string> Rows::optional_text() {
  if (is_null()) return skip(), std::nullopt;
  return text();
}

std::int64_t Rows::integer() {
  const auto bytes = view();
  std::int64_t value = 0;
  if (bytes.size() == sizeof value) std::memcpy(&value, bytes.data(), sizeof value);
  return std::byteswap(value);
}

bool Rows::flag() {
  const auto bytes = view();
  return !bytes.empty() && bytes.front() != 0;
}

WallTime Rows::time() {
  return from_micros(integer() + postgres_epoch);
}

std::optional<WallTime> Rows::optional_time() {
  if (is_null()) return skip(), std::nullopt;
  return time();
}

}  // namespace dg::store::postgres
