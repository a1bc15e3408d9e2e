// Tests that speak with a database of their own through one connection.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/postgres/connection.hpp"
#include "store/postgres/testing/database.hpp"
#include "store/postgres/testing/loop.hpp"

namespace dg::store::postgres::testing {

class Connected : public ::testing::Test {
 protected:
  explicit Connected(Content content = Content::nothing) : database_(content) {}

  void SetUp() override {
    auto opened = open(database_.options());
    ASSERT_TRUE(opened) << opened.error().message;
    connection_ = std::move(*opened);
  }

  Outcome<std::unique_ptr<Connection>> open(ConnectOptions options) {
    return loop_.wait(Connection::open(*loop_.timers, std::move(options)));
  }
  Outcome<std::vector<Rows>> run(Pipeline pipeline, Duration deadline = std::chrono::seconds(40)) {
    return loop_.wait(connection_->run(std::move(pipeline), deadline));
  }
  template <class... Values>
  Outcome<Rows> query(std::string_view sql, const Values&... values) {
    return loop_.wait(connection_->query(sql, values...));
  }
  // The one text that a statement gives; the failure's message where it fails.
  template <class... Values>
  std::string text(std::string_view sql, const Values&... values) {
    auto rows = query(sql, values...);
    if (!rows) return rows.error().message;
    return rows->next() ? rows->text() : "no row";
  }

  TestDatabase database_;
  Loop loop_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace dg::store::postgres::testing
