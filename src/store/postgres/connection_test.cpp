// Pipelines, failures and the end of connections, with a real server.
#include "store/postgres/connection.hpp"

#include <gmock/gmock.h>

#include <boost/asio/ip/tcp.hpp>

#include "store/postgres/testing/connected.hpp"

namespace dg::store::postgres {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ConnectionTest : public testing::Connected {
 protected:
  // Of one table, t (n bigint primary key), which a test makes.
  std::string rows_of_t() {
    return text("SELECT coalesce(string_agg(n::text, ' ' ORDER BY n), 'none') FROM t");
  }
  void make_t() { ASSERT_TRUE(query("CREATE TABLE t (n bigint PRIMARY KEY)")); }

  static constexpr std::string_view insert = "INSERT INTO t VALUES ($1)";
};

TEST_F(ConnectionTest, APipelineGivesItsResultsInOrder) {
  make_t();
  Pipeline pipeline;
  const auto first = pipeline.add("SELECT 'first'");
  pipeline.add(insert, 7);
  const auto rows = pipeline.add("SELECT n, n > 1 FROM generate_series(1::bigint, $1::bigint) AS n", 2);
  const auto none = pipeline.add("SELECT n FROM t WHERE n < $1", 0);
  const auto again = pipeline.add("SELECT n, n > 1 FROM generate_series(1::bigint, $1::bigint) AS n", 1);
  auto results = run(std::move(pipeline));
  ASSERT_TRUE(results) << results.error().message;
  ASSERT_EQ(results->size(), 5u);
  ASSERT_TRUE((*results)[first].next());
  EXPECT_EQ((*results)[first].text(), "first");
  ASSERT_EQ((*results)[rows].size(), 2);
  ASSERT_TRUE((*results)[rows].next());
  EXPECT_EQ((*results)[rows].integer(), 1);
  EXPECT_FALSE((*results)[rows].flag());
  ASSERT_TRUE((*results)[rows].next());
  EXPECT_EQ((*results)[rows].integer(), 2);
  EXPECT_TRUE((*results)[rows].flag());
  EXPECT_FALSE((*results)[rows].next());
  EXPECT_EQ((*results)[none].size(), 0);
  EXPECT_EQ((*results)[again].size(), 1);
  EXPECT_EQ(rows_of_t(), "7");
}

TEST_F(ConnectionTest, AnEmptyPipelineGivesNothing) {
  const auto results = run({});
  ASSERT_TRUE(results);
  EXPECT_TRUE(results->empty());
}

TEST_F(ConnectionTest, AfterAnErrorNothingOfThePipelineHasHappened) {
  make_t();
  Pipeline pipeline;
  pipeline.add(insert, 1);
  pipeline.add(insert, 1);
  pipeline.add(insert, 2);
  pipeline.add("SELECT 'never prepared'");
  const auto results = run(std::move(pipeline));
  ASSERT_FALSE(results);
  EXPECT_EQ(results.error().sqlstate, sqlstate::unique_violation);
  EXPECT_THAT(results.error().message, HasSubstr("(Key (n)=(1) already exists.)"));
  EXPECT_FALSE(results.error().lost);
  EXPECT_FALSE(connection_->is_lost());
  EXPECT_FALSE(connection_->in_transaction());
  EXPECT_EQ(rows_of_t(), "none");
}

TEST_F(ConnectionTest, StatementsStayPreparedAfterAnError) {
  make_t();
  Pipeline failing;
  failing.add(insert, 1);
  failing.add("SELECT 1 / $1", 0);
  failing.add("SELECT 'never prepared'");
  ASSERT_FALSE(run(std::move(failing)));
  ASSERT_TRUE(query(insert, 5));
  EXPECT_EQ(text("SELECT (1 / $1)::text", 1), "1");
  EXPECT_EQ(text("SELECT 'never prepared'"), "never prepared");
  EXPECT_EQ(text("SELECT (count(*) FILTER (WHERE statement = $1))::text FROM pg_prepared_statements", insert),
            "1");
  EXPECT_EQ(rows_of_t(), "5");
}

TEST_F(ConnectionTest, ATransactionOfItsOwnIsLeftOpenByAnError) {
  make_t();
  Pipeline pipeline;
  pipeline.add("BEGIN");
  pipeline.add(insert, 1);
  pipeline.add("SELECT missing FROM t");
  pipeline.add("COMMIT");
  const auto results = run(std::move(pipeline));
  ASSERT_FALSE(results);
  EXPECT_EQ(results.error().sqlstate, "42703");
  EXPECT_TRUE(connection_->in_transaction());
  ASSERT_TRUE(query("ROLLBACK"));
  EXPECT_FALSE(connection_->in_transaction());
  EXPECT_EQ(rows_of_t(), "none");
}

TEST_F(ConnectionTest, WhatFailsAtTheCommitIsAFailureAndNoLoss) {
  ASSERT_TRUE(query("CREATE TABLE t (n bigint UNIQUE DEFERRABLE INITIALLY DEFERRED)"));
  Pipeline pipeline;
  pipeline.add(insert, 1);
  pipeline.add(insert, 1);
  const auto results = run(std::move(pipeline));
  ASSERT_FALSE(results);
  EXPECT_EQ(results.error().sqlstate, sqlstate::unique_violation);
  EXPECT_FALSE(results.error().lost);
  EXPECT_EQ(rows_of_t(), "none");
}

TEST_F(ConnectionTest, ManyMegabytesGoBothWaysAtOnce) {
  // More than all buffers between here and there hold, while the answers are as large.
  constexpr std::int64_t statements = 64;
  const std::string large(1 << 20, 'x');
  Pipeline pipeline;
  for (std::int64_t i = 0; i < statements; ++i) pipeline.add("SELECT $1 || $2::bigint", large, i);
  auto results = run(std::move(pipeline));
  ASSERT_TRUE(results) << results.error().message;
  for (std::int64_t i = 0; i < statements; ++i) {
    auto& rows = (*results)[static_cast<std::size_t>(i)];
    ASSERT_TRUE(rows.next());
    EXPECT_EQ(rows.view().substr(large.size()), std::to_string(i));
  }
}

TEST_F(ConnectionTest, AStatementBehindItsDeadlineLosesTheConnection) {
  Pipeline pipeline;
  pipeline.add("SELECT pg_sleep($1::bigint)", 60);
  const auto results = run(std::move(pipeline), std::chrono::milliseconds(50));
  ASSERT_FALSE(results);
  EXPECT_TRUE(results.error().lost);
  EXPECT_EQ(results.error().message, "the database did not answer in time");
  EXPECT_TRUE(connection_->is_lost());
  const auto later = query("SELECT 1");
  ASSERT_FALSE(later);
  EXPECT_TRUE(later.error().lost);
}

TEST_F(ConnectionTest, TheServerGivesUpAStatementBehindItsTimeout) {
  auto options = database_.options();
  options.statement_timeout = std::chrono::milliseconds(50);
  auto connection = open(std::move(options));
  ASSERT_TRUE(connection);
  const auto rows = loop_.wait((*connection)->query("SELECT pg_sleep(60)"));
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().sqlstate, sqlstate::query_canceled);
  EXPECT_TRUE(rows.error().is_transient()) << "it was rolled back";
  EXPECT_EQ(rows.error().to_error().code, Errc::unavailable);
  EXPECT_FALSE((*connection)->is_lost());
}

TEST_F(ConnectionTest, AServerThatTakesNoChangesIsLeftAfterTheTransaction) {
  ASSERT_TRUE(query("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"));
  ASSERT_TRUE(query("BEGIN"));
  const auto refused = query("CREATE TABLE t ()");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().sqlstate, sqlstate::read_only);
  EXPECT_TRUE(refused.error().is_transient());
  EXPECT_FALSE(refused.error().lost) << "it was not done";
  EXPECT_FALSE(connection_->is_lost());
  ASSERT_TRUE(query("ROLLBACK"));
  EXPECT_TRUE(connection_->is_lost());
}

TEST_F(ConnectionTest, ASessionThatTheServerEndsIsLostWithItsReason) {
  auto admin = database_.superuser();
  const auto end = fmt::format("SELECT pg_terminate_backend({}, 10000)", connection_->backend_pid());
  ASSERT_EQ(admin.value(end), "t");
  const auto rows = query("SELECT 1");
  ASSERT_FALSE(rows);
  EXPECT_TRUE(rows.error().lost);
  EXPECT_TRUE(rows.error().is_transient());
  EXPECT_THAT(rows.error().message, HasSubstr("terminating connection due to administrator command"));
  EXPECT_TRUE(connection_->is_lost());
}

TEST_F(ConnectionTest, ASessionThatEndsItselfUnderWayIsLostWithItsReason) {
  make_t();
  Pipeline pipeline;
  pipeline.add(insert, 1);
  pipeline.add("SELECT pg_terminate_backend(pg_backend_pid())");
  pipeline.add(insert, 2);
  const auto results = run(std::move(pipeline));
  ASSERT_FALSE(results);
  EXPECT_TRUE(results.error().lost);
  EXPECT_EQ(results.error().sqlstate, "57P01");
  EXPECT_THAT(results.error().message, HasSubstr("terminating connection due to administrator command"));
  auto owner = database_.owner();
  EXPECT_EQ(owner.value("SELECT count(*) FROM t"), "0");
}

TEST_F(ConnectionTest, AScriptMayHoldManyStatements) {
  auto rows = loop_.wait(connection_->run_script(
      "BEGIN; CREATE TABLE t (n bigint); INSERT INTO t VALUES (1), (2); COMMIT; SELECT 'done'",
      std::chrono::seconds(10)));
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_EQ(rows_of_t(), "1 2");
  const auto failed =
      loop_.wait(connection_->run_script("INSERT INTO t VALUES (3); SELECT 1 / 0", std::chrono::seconds(10)));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().sqlstate, "22012");
  EXPECT_EQ(rows_of_t(), "1 2");
}

TEST_F(ConnectionTest, AScriptBehindItsDeadlineLosesTheConnection) {
  const auto rows = loop_.wait(connection_->run_script("SELECT pg_sleep(60)", std::chrono::milliseconds(50)));
  ASSERT_FALSE(rows);
  EXPECT_TRUE(rows.error().lost);
  EXPECT_TRUE(connection_->is_lost());
}

class OpeningTest : public testing::Connected {
 protected:
  Failure failure_of(Conninfo conninfo) {
    auto opened = open({.conninfo = std::move(conninfo)});
    if (opened) return {false, "", "it was opened"};
    return opened.error();
  }
  Conninfo with(std::string_view keyword, std::string value) {
    auto conninfo = database_.conninfo();
    set_value(conninfo, keyword, std::move(value));
    return conninfo;
  }
};

TEST_F(OpeningTest, AWrongPasswordIsToldWithoutIt) {
  const auto failure = failure_of(with("password", "open-sesame"));
  EXPECT_EQ(failure.sqlstate, "28P01");
  EXPECT_FALSE(failure.is_transient());
  EXPECT_THAT(failure.message,
              HasSubstr("password authentication failed for user \"" + database_.name() + "\""));
  EXPECT_THAT(failure.message, Not(HasSubstr("open-sesame")));
  EXPECT_THAT(failure.message, Not(HasSubstr("LOCATION")));
}

TEST_F(OpeningTest, AMissingPasswordIsTold) {
  const auto failure = failure_of(with("password", ""));
  EXPECT_EQ(failure.sqlstate, "28P01");
  EXPECT_FALSE(failure.is_transient());
}

TEST_F(OpeningTest, AnUnknownDatabaseIsTold) {
  const auto failure = failure_of(with("dbname", "duragraph_nowhere"));
  EXPECT_EQ(failure.sqlstate, "3D000");
  EXPECT_FALSE(failure.is_transient());
  EXPECT_THAT(failure.message, HasSubstr("database \"duragraph_nowhere\" does not exist"));
}

TEST_F(OpeningTest, AServerThatIsFullIsWorthAnotherAttempt) {
  database_.superuser().run("ALTER DATABASE " + database_.name() + " CONNECTION LIMIT 0");
  const auto failure = failure_of(database_.conninfo());
  EXPECT_EQ(failure.sqlstate, "53300");
  EXPECT_TRUE(failure.is_transient());
}

TEST_F(OpeningTest, AHostIsFoundByItsName) {
  auto connection = open({.conninfo = with("host", "localhost")});
  ASSERT_TRUE(connection) << connection.error().message;
  auto rows = loop_.wait((*connection)->query("SELECT 'there'"));
  EXPECT_TRUE(rows);
}

TEST_F(OpeningTest, ANameThatNobodyKnowsIsWorthAnotherAttempt) {
  const auto failure = failure_of(with("host", "nowhere.invalid"));
  EXPECT_TRUE(failure.is_transient());
  EXPECT_THAT(failure.message, HasSubstr("nowhere.invalid is not known"));
}

TEST_F(OpeningTest, APortWhereNobodyListensIsWorthAnotherAttempt) {
  const auto failure = failure_of(with("port", "1"));
  EXPECT_TRUE(failure.is_transient());
  EXPECT_EQ(failure.sqlstate, "");
  EXPECT_THAT(failure.message, HasSubstr("Connection refused"));
}

// Somebody who lets connections in and never says a word, as a host does that has stopped.
class Silence {
 public:
  explicit Silence(boost::asio::io_context& io)
      : acceptor_(io, {boost::asio::ip::make_address("127.0.0.1"), 0}) {}
  std::string port() const { return std::to_string(acceptor_.local_endpoint().port()); }

 private:
  boost::asio::ip::tcp::acceptor acceptor_;
};

TEST_F(OpeningTest, AHostThatIsSilentIsGivenUp) {
  const Silence silence(loop_.io);
  auto opened =
      open({.conninfo = with("port", silence.port()), .connect_deadline = std::chrono::milliseconds(50)});
  ASSERT_FALSE(opened);
  EXPECT_TRUE(opened.error().is_transient());
  EXPECT_EQ(opened.error().message,
            "connection to server at \"127.0.0.1\", port " + silence.port() + " failed: no answer in time");
}

TEST_F(OpeningTest, AHostThatIsSilentLeavesTimeForTheNext) {
  const Silence silence(loop_.io);
  auto conninfo = with("host", "127.0.0.1,127.0.0.1");
  set_value(conninfo, "port", fmt::format("{},{}", silence.port(), value_of(database_.conninfo(), "port")));
  const auto connection = open({.conninfo = conninfo, .connect_deadline = std::chrono::seconds(2)});
  EXPECT_TRUE(connection) << connection.error().message;
}

TEST_F(OpeningTest, WhatEachHostSaidIsTold) {
  auto conninfo = with("host", "127.0.0.1,127.0.0.1");
  set_value(conninfo, "port", fmt::format("1,{}", value_of(database_.conninfo(), "port")));
  set_value(conninfo, "password", "wrong");
  const auto failure = failure_of(std::move(conninfo));
  EXPECT_THAT(failure.message, HasSubstr("Connection refused; connection to server at"));
  EXPECT_THAT(failure.message, HasSubstr("password authentication failed"));
  EXPECT_TRUE(failure.is_transient());
}

TEST_F(OpeningTest, ASecondHostIsTriedWhenTheFirstRefuses) {
  auto conninfo = with("host", "127.0.0.1,127.0.0.1");
  set_value(conninfo, "port", fmt::format("1,{}", value_of(database_.conninfo(), "port")));
  const auto connection = open({.conninfo = conninfo});
  EXPECT_TRUE(connection) << connection.error().message;
}

TEST(ConninfoTest, AUrlIsTakenApart) {
  const auto conninfo = parse_conninfo("postgresql://me:p%40ss@db.example:5433/data?sslmode=require");
  ASSERT_TRUE(conninfo);
  EXPECT_EQ(value_of(*conninfo, "host"), "db.example");
  EXPECT_EQ(value_of(*conninfo, "port"), "5433");
  EXPECT_EQ(value_of(*conninfo, "user"), "me");
  EXPECT_EQ(value_of(*conninfo, "password"), "p@ss");
  EXPECT_EQ(value_of(*conninfo, "dbname"), "data");
  EXPECT_EQ(value_of(*conninfo, "sslmode"), "require");
}

TEST(ConninfoTest, AWrongUrlIsToldWithoutItsPassword) {
  for (const std::string wrong :
       {"postgresql://me:s3cret@[::1/data", "postgresql://me:s3cret%zz@host/data", "s3cret",
        "postgresql://me:x@host/data?passwort=s3cret", "postgresql://me:\"s3cret@host/?x"}) {
    const auto conninfo = parse_conninfo(wrong);
    ASSERT_FALSE(conninfo) << wrong;
    EXPECT_THAT(conninfo.error(), Not(HasSubstr("s3cret")));
    EXPECT_FALSE(conninfo.error().empty());
  }
}

}  // namespace
}  // namespace dg::store::postgres
