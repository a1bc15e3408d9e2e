// A session of a test's own, beside those that it tests.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "store/postgres/conninfo.hpp"

namespace dg::store::postgres::testing {

// Waits for each answer. What fails is thrown as std::runtime_error, since a test cannot go on without it.
class Session {
 public:
  explicit Session(const Conninfo& conninfo) : handle_(connect(conninfo), &PQfinish) {
    if (PQstatus(handle_.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(handle_.get()));
    run("SET client_min_messages = warning");
  }

  using Row = std::vector<std::string>;
  // The rows of the last statement of the text, as texts; a null is an empty one.
  std::vector<Row> run(std::string_view sql) {
    const std::unique_ptr<PGresult, decltype(&PQclear)> result(
        PQexec(handle_.get(), std::string(sql).c_str()), &PQclear);
    const auto status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
      throw std::runtime_error(std::string(PQerrorMessage(handle_.get())) + "in: " + std::string(sql));
    std::vector<Row> rows(static_cast<std::size_t>(PQntuples(result.get())));
    for (int row = 0; row < PQntuples(result.get()); ++row)
      for (int column = 0; column < PQnfields(result.get()); ++column)
        rows[static_cast<std::size_t>(row)].emplace_back(PQgetvalue(result.get(), row, column));
    return rows;
  }
  // The first column of the first row; empty when there is none.
  std::string value(std::string_view sql) {
    const auto rows = run(sql);
    return rows.empty() || rows.front().empty() ? "" : rows.front().front();
  }

 private:
  static PGconn* connect(const Conninfo& conninfo) {
    std::vector<const char*> keywords, values;
    for (const auto& [keyword, value] : conninfo) {
      keywords.push_back(keyword.c_str());
      values.push_back(value.c_str());
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    return PQconnectdbParams(keywords.data(), values.data(), 0);
  }

  std::unique_ptr<PGconn, decltype(&PQfinish)> handle_;
};

}  // namespace dg::store::postgres::testing
