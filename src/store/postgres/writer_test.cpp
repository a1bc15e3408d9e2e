// What the store does where the way to the database, or another instance, is in its way.
#include "store/postgres/writer.hpp"

#include <gmock/gmock.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <set>
#include <thread>

#include "store/postgres/postgres_store.hpp"
#include "store/postgres/testing/database.hpp"
#include "store/postgres/testing/loop.hpp"

namespace dg::store::postgres {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::Loop;
using testing::TestDatabase;

// Forwards connections to the database. While it is told to, it lets COMMIT through and cuts the connection
// before the answer comes back, or before the database has seen it.
class Proxy {
 public:
  enum class Cut { nothing, after_commit, before_commit };

  explicit Proxy(const Conninfo& database)
      : target_(asio::ip::make_address(value_of(database, "host")),
                static_cast<std::uint16_t>(std::stoi(std::string(value_of(database, "port"))))),
        listener_(io_, {asio::ip::make_address("127.0.0.1"), 0}),
        thread_([this] { serve(); }) {}
  ~Proxy() {
    stopping_ = true;
    tcp::socket poke(io_);
    boost::system::error_code ignored;
    poke.connect(listener_.local_endpoint(), ignored);
    thread_.join();
    for (auto& pump : pumps_) pump.join();
  }

  std::string port() const { return std::to_string(listener_.local_endpoint().port()); }
  // How often it is still to be done.
  void cut(Cut cut, int times) {
    times_ = times;
    cut_ = cut;
  }
  int cuts_left() const { return times_; }

 private:
  void serve() {
    while (true) {
      auto client = std::make_shared<tcp::socket>(io_);
      listener_.accept(*client);
      if (stopping_) return;
      auto server = std::make_shared<tcp::socket>(io_);
      server->connect(target_);
      auto dead = std::make_shared<std::atomic<bool>>(false);
      pumps_.emplace_back([=, this] { pump(*client, *server, dead, true); });
      pumps_.emplace_back([=, this] { pump(*server, *client, dead, false); });
    }
  }

  void pump(tcp::socket& from, tcp::socket& to, const std::shared_ptr<std::atomic<bool>>& dead,
            bool upstream) {
    std::array<char, 65536> chunk{};
    boost::system::error_code error;
    while (true) {
      const auto size = from.read_some(asio::buffer(chunk), error);
      if (error || *dead) break;
      const std::string_view text(chunk.data(), size);
      // The statement's name is all that says so once it is prepared; it ends in the length of its text.
      const bool commits = upstream && text.find(commit_name()) != std::string_view::npos;
      if (commits && cut_ != Cut::nothing && times_ > 0) {
        --times_;
        *dead = true;
        if (cut_ == Cut::after_commit) asio::write(to, asio::buffer(chunk, size), error);
        break;
      }
      asio::write(to, asio::buffer(chunk, size), error);
      if (error) break;
    }
    // What was written reaches the other end before its connection ends.
    to.shutdown(tcp::socket::shutdown_send, error);
    from.shutdown(tcp::socket::shutdown_both, error);
  }

  static std::string commit_name() {
    return fmt::format("s{:x}_{}", std::hash<std::string_view>{}("COMMIT"),
                       std::string_view("COMMIT").size());
  }

  asio::io_context io_;
  tcp::endpoint target_;
  tcp::acceptor listener_;
  std::atomic<bool> stopping_ = false;
  std::atomic<Cut> cut_ = Cut::nothing;
  std::atomic<int> times_ = 0;
  std::vector<std::thread> pumps_;
  std::thread thread_;
};

Commit appending(const std::string& id, std::optional<std::int64_t> version) {
  Commit commit;
  commit.appends.push_back({domain::AggregateType::thread, id, version, id, {{"ThreadCreated", "{}"}}});
  return commit;
}

class WriterTest : public ::testing::Test {
 protected:
  std::unique_ptr<Store> open(const Conninfo& conninfo) {
    return make_postgres_store(loop_.env, {.connect = {.conninfo = conninfo}});
  }
  std::unique_ptr<Store> open() { return open(database_.conninfo()); }
  std::vector<std::int64_t> versions_of(Store& store, const std::string& id) {
    std::vector<std::int64_t> out;
    for (const auto& event : loop_.wait(store.events(id)).value()) out.push_back(event.version);
    return out;
  }

  TestDatabase database_;
  Loop loop_;
};

class LostAnswer : public WriterTest, public ::testing::WithParamInterface<Proxy::Cut> {};

TEST_P(LostAnswer, IsFoundOutAndNothingHappensTwice) {
  Proxy proxy(database_.conninfo());
  auto conninfo = database_.conninfo();
  set_value(conninfo, "port", proxy.port());
  const auto store = open(conninfo);
  ASSERT_TRUE(loop_.wait(store->commit(appending("a", 0))));

  for (std::int64_t version = 1; version <= 3; ++version) {
    proxy.cut(GetParam(), 1);
    const auto committed = loop_.wait(store->commit(appending("a", std::nullopt)));
    EXPECT_TRUE(committed) << committed.error().message;
    EXPECT_EQ(proxy.cuts_left(), 0);
  }
  EXPECT_THAT(versions_of(*store, "a"), ::testing::ElementsAre(1, 2, 3, 4));
}

INSTANTIATE_TEST_SUITE_P(Writer, LostAnswer,
                         ::testing::Values(Proxy::Cut::after_commit, Proxy::Cut::before_commit));

TEST_F(WriterTest, GoesOnAfterItsSessionsWereEnded) {
  const auto store = open();
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(loop_.wait(store->commit(appending("a", std::nullopt))));
    ASSERT_EQ(versions_of(*store, "a").size(), static_cast<std::size_t>(i + 1));
    database_.superuser().run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid "
        "<> "
        "pg_backend_pid()");
  }
}

// A writer whose transactions get no further, while somebody else holds what they need.
class StuckWriterTest : public WriterTest {
 protected:
  using Answer = std::optional<Result<Committed>>;

  void start(Writer::Limits limits, std::chrono::milliseconds statement_timeout = std::chrono::seconds(60)) {
    const ConnectOptions options{.conninfo = database_.conninfo(), .statement_timeout = statement_timeout};
    writer_ = std::make_shared<Writer>(loop_.env, options, limits);
    submit("first", answers_.emplace_back());
    ASSERT_TRUE(becomes([&] { return answers_.back().has_value(); }));
    ASSERT_TRUE(*answers_.back());
    other_.run("BEGIN");
    other_.run("LOCK TABLE event_streams IN ACCESS EXCLUSIVE MODE");
  }
  void submit(const std::string& id, Answer& answer) {
    Writer::Done done = [&answer](Result<Committed> given) { answer = std::move(given); };
    ASSERT_TRUE(writer_->submit(appending(id, 0), done));
  }
  // Runs the loop until it holds.
  template <class Condition>
  [[nodiscard]] bool becomes(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      loop_.io.restart();
      loop_.io.run_one_for(std::chrono::milliseconds(10));
    }
    return true;
  }
  // Whether a transaction waits for what is held.
  bool is_stuck() {
    return other_.value(
               "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = "
               "'event_streams'::regclass") == "1";
  }
  std::size_t queued() const {
    StoreLoad load;
    writer_->add_load(load);
    return load.queued_commits;
  }

  testing::Session other_ = database_.owner();
  std::deque<Answer> answers_;
  std::shared_ptr<Writer> writer_;
};

TEST_F(StuckWriterTest, WhatWaitsBehindATransactionIsRefusedInTime) {
  start({.deadline = std::chrono::milliseconds(200), .least = std::chrono::seconds(60)});
  auto& under_way = answers_.emplace_back();
  submit("under way", under_way);
  ASSERT_TRUE(becomes([&] { return is_stuck(); }));
  auto& behind = answers_.emplace_back();
  submit("behind", behind);
  EXPECT_EQ(queued(), 1U);
  ASSERT_TRUE(becomes([&] { return behind.has_value(); }));
  ASSERT_FALSE(*behind);
  EXPECT_EQ(behind->error().code, Errc::unavailable);
  EXPECT_EQ(queued(), 0U);
  EXPECT_FALSE(under_way);
  other_.run("ROLLBACK");
  ASSERT_TRUE(becomes([&] { return under_way.has_value(); }));
  EXPECT_TRUE(*under_way);
}

TEST_F(StuckWriterTest, ATransactionIsGivenUpInTime) {
  start({.deadline = std::chrono::milliseconds(100), .least = std::chrono::milliseconds(100)});
  auto& given_up = answers_.emplace_back();
  submit("given up", given_up);
  ASSERT_TRUE(becomes([&] { return given_up.has_value(); }));
  ASSERT_FALSE(*given_up);
  EXPECT_EQ(given_up->error().code, Errc::unavailable);
  EXPECT_FALSE(is_stuck()) << "its session waits on";
  other_.run("ROLLBACK");
  auto& next = answers_.emplace_back();
  submit("next", next);
  ASSERT_TRUE(becomes([&] { return next.has_value(); }));
  EXPECT_TRUE(*next);
  EXPECT_EQ(other_.value("SELECT string_agg(aggregate_id, ' ' ORDER BY aggregate_id) FROM events"),
            "first next");
}

// One whose statements the server gives up: by their own time, or by that for a lock.
class ImpatientWriterTest : public StuckWriterTest, public ::testing::WithParamInterface<const char*> {
 protected:
  void start(Writer::Limits limits) {
    database_.superuser().run(
        fmt::format("ALTER ROLE {} SET lock_timeout = '{}'", database_.name(), GetParam()));
    StuckWriterTest::start(limits, std::chrono::milliseconds(100));
  }
  // Whether so many statements have waited, one after the other.
  bool have_waited(std::size_t statements) {
    for (const auto& row :
         watcher_.run("SELECT query_start FROM pg_stat_activity WHERE datname = current_database() AND "
                      "wait_event_type = 'Lock'"))
      seen_.insert(row[0]);
    return seen_.size() >= statements;
  }

 private:
  testing::Session watcher_ = database_.superuser();
  std::set<std::string> seen_;
};

TEST_P(ImpatientWriterTest, WhatTookTooLongIsRepeated) {
  start({});
  auto& answer = answers_.emplace_back();
  submit("repeated", answer);
  ASSERT_TRUE(becomes([&] { return have_waited(3); }));
  EXPECT_FALSE(answer);
  other_.run("ROLLBACK");
  ASSERT_TRUE(becomes([&] { return answer.has_value(); }));
  EXPECT_TRUE(*answer);
  EXPECT_EQ(other_.value("SELECT count(*) FROM events WHERE aggregate_id = 'repeated'"), "1");
}

TEST_P(ImpatientWriterTest, WhatTookTooLongToTheEndWasNotDone) {
  start({.deadline = std::chrono::milliseconds(500)});
  auto& answer = answers_.emplace_back();
  submit("not done", answer);
  ASSERT_TRUE(becomes([&] { return answer.has_value(); }));
  ASSERT_FALSE(*answer);
  EXPECT_EQ(answer->error().code, Errc::unavailable) << answer->error().message;
}

INSTANTIATE_TEST_SUITE_P(Writer, ImpatientWriterTest, ::testing::Values("0", "50ms"));

TEST_F(WriterTest, MakesThePartitionThatIsMissing) {
  const auto store = open();
  auto admin = database_.owner();
  for (const auto& row :
       admin.run("SELECT oid::regclass FROM pg_class WHERE relispartition AND relkind = 'r'"))
    admin.run("DROP TABLE " + row[0]);
  Commit commit;
  const auto run = make_uuid7(loop_.env);
  commit.appends.push_back({domain::AggregateType::run, run, 0, "", {{"RunCreated", "{}"}}});
  const auto committed = loop_.wait(store->commit(commit));
  ASSERT_TRUE(committed) << committed.error().message;
  EXPECT_THAT(versions_of(*store, run), ::testing::ElementsAre(1));

  // One that no span of time has is refused, and says what is wrong.
  commit.appends[0].id = "ffffffff-ffff-7fff-bfff-ffffffffffff";
  const auto refused = loop_.wait(store->commit(commit));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("no partition"));
}

TEST_F(WriterTest, ANulInTextIsKeptAsAnotherSign) {
  using namespace std::string_literals;
  const auto store = open();
  domain::Run run;
  run.id = make_uuid7(loop_.env);
  run.state = domain::RunState::failed;
  run.error = domain::RunError{"ValueError", "a\0b\0"s};
  Commit commit;
  commit.changes.emplace_back(PutRun{run});
  commit.changes.emplace_back(PutItem{{"x\0y"s}, "k\0"s, "{}"});
  const auto committed = loop_.wait(store->commit(std::move(commit)));
  ASSERT_TRUE(committed) << committed.error().message;
  EXPECT_EQ(loop_.wait(store->run(run.id)).value().value().error.value().message, "a\uFFFDb\uFFFD");
  EXPECT_TRUE(loop_.wait(store->item({"x\0y"s}, "k\0"s)).value());
}

TEST_F(WriterTest, ARefusedCommitLeavesNoHead) {
  const auto store = open();
  EXPECT_EQ(loop_.wait(store->commit(appending("a", 7))).error().code, Errc::conflict);
  EXPECT_EQ(database_.owner().value("SELECT count(*) FROM event_streams"), "0");
}

class PresumingTest : public WriterTest {
 protected:
  // Commits these in one batch: they queue while a first one is being written.
  std::vector<Result<Committed>> together(std::vector<Commit> commits) {
    commits.insert(commits.begin(), appending(make_uuid7(loop_.env), 0));
    std::vector<std::optional<Result<Committed>>> results(commits.size());
    for (std::size_t i = 0; i < commits.size(); ++i)
      spawn(loop_.io.get_executor(), "one", one(*store_, std::move(commits[i]), results[i]));
    loop_.io.restart();
    const auto is_open = [](const auto& result) { return !result.has_value(); };
    while (std::ranges::any_of(results, is_open) && loop_.io.run_one() > 0) {
    }
    std::vector<Result<Committed>> out;
    for (auto& result : results) out.push_back(std::move(*result));
    out.erase(out.begin());
    return out;
  }
  static Task<void> one(Store& store, Commit commit, std::optional<Result<Committed>>& result) {
    result = co_await store.commit(std::move(commit));
  }
  std::uint64_t attempts() const { return store_->load().batches; }

  std::unique_ptr<Store> store_ = open();
};

TEST_F(PresumingTest, WhatIsCreatedTakesOneAttempt) {
  const auto before = attempts();
  const auto results = together({appending("a", 0), appending("b", 0)});
  EXPECT_TRUE(results[0] && results[1]);
  EXPECT_EQ(attempts() - before, 2U);  // with the one ahead of them
}

TEST_F(PresumingTest, WhatIsThereAlreadyIsRefusedAndHoldsNobodyUp) {
  ASSERT_TRUE(loop_.wait(store_->commit(appending("there", 0))));
  const auto results =
      together({appending("there", 0), appending("there", std::nullopt), appending("new", 0)});
  EXPECT_EQ(results[0].error().code, Errc::conflict);
  EXPECT_TRUE(results[1] && results[2]);
  EXPECT_THAT(versions_of(*store_, "there"), ::testing::ElementsAre(1, 2));

  // For a while nothing is presumed then.
  const auto before = attempts();
  EXPECT_EQ(loop_.wait(store_->commit(appending("there", 0))).error().code, Errc::conflict);
  EXPECT_EQ(attempts() - before, 1U);
}

TEST_F(PresumingTest, NobodyIsRefusedBecauseOfWhatAnotherCreatesInVain) {
  ASSERT_TRUE(loop_.wait(store_->commit(appending("there", 0))));
  ASSERT_TRUE(loop_.wait(store_->commit(appending("other", 0))));
  auto creating = appending("there", 0);
  creating.conditions.emplace_back(ThreadUnchanged{"other", 7});  // so it does not come to an insertion
  const auto results = together({appending("there", 1), creating});
  EXPECT_TRUE(results[0]) << results[0].error().message;
  EXPECT_EQ(results[1].error().code, Errc::conflict);
  EXPECT_THAT(versions_of(*store_, "there"), ::testing::ElementsAre(1, 2));
}

TEST_F(PresumingTest, WhatIsMissingIsMade) {
  const auto results = together({appending("new", 0), appending("nobody made it", std::nullopt)});
  EXPECT_TRUE(results[0] && results[1]);
  EXPECT_THAT(versions_of(*store_, "nobody made it"), ::testing::ElementsAre(1));
}

TEST_F(PresumingTest, ARowWithoutEventsIsWrittenOver) {
  domain::Run run;
  run.id = make_uuid7(loop_.env);
  ASSERT_TRUE(loop_.wait(open()->commit({.changes = {PutRun{run}}})));
  run.graph_id = "another";
  Commit commit;
  commit.appends.push_back({domain::AggregateType::run, run.id, 0, "", {{"RunCreated", "{}"}}});
  commit.changes.emplace_back(PutRun{run});
  const auto results = together({commit});
  ASSERT_TRUE(results[0]) << results[0].error().message;
  EXPECT_EQ(loop_.wait(store_->run(run.id)).value().value().graph_id, "another");
  EXPECT_THAT(versions_of(*store_, run.id), ::testing::ElementsAre(1));
}

// Instances write the same threads at once, in different orders: all of it happens, one after the other.
TEST_F(WriterTest, InstancesDoNotStandInEachOthersWay) {
  constexpr int instances = 3;
  constexpr int rounds = 60;
  const std::array threads{"a", "b", "c", "d"};
  struct Counting {
    int open = instances;
    int failed = 0;
  } counting;
  std::vector<std::unique_ptr<Store>> stores;
  stores.reserve(instances);
  for (int i = 0; i < instances; ++i) stores.push_back(open());

  struct Write {
    static Task<void> all(Store& store, std::array<const char*, 4> ids, int shift, Counting& counts) {
      for (int round = 0; round < rounds; ++round) {
        Commit commit;
        for (std::size_t i = 0; i < ids.size(); ++i)
          commit.appends.push_back(
              appending(ids[(i * 3 + static_cast<std::size_t>(shift + round)) % ids.size()], std::nullopt)
                  .appends[0]);
        if (!co_await store.commit(std::move(commit))) ++counts.failed;
      }
      --counts.open;
    }
  };
  for (int i = 0; i < instances; ++i)
    spawn(loop_.io.get_executor(), "writing",
          Write::all(*stores[static_cast<std::size_t>(i)], threads, i, counting));
  while (counting.open > 0 && loop_.io.run_one() > 0) {
  }
  EXPECT_EQ(counting.failed, 0);
  for (const auto* thread : threads) {
    const auto versions = versions_of(*stores[0], thread);
    ASSERT_EQ(versions.size(), static_cast<std::size_t>(instances * rounds));
    EXPECT_TRUE(std::ranges::is_sorted(versions));
  }
}

TEST_F(WriterTest, OneOfTwoInstancesCreatesWhatBothWant) {
  const auto first = open();
  const auto second = open();
  std::array<std::optional<Result<Committed>>, 2> results;
  struct Create {
    static Task<void> one(Store& store, std::string id, std::optional<Result<Committed>>& result) {
      result = co_await store.commit(appending(id, 0));
    }
  };
  for (int i = 0; i < 30; ++i) {
    const auto id = fmt::format("thread {}", i);
    results = {};
    spawn(loop_.io.get_executor(), "first", Create::one(*first, id, results[0]));
    spawn(loop_.io.get_executor(), "second", Create::one(*second, id, results[1]));
    loop_.io.restart();
    while (!(results[0] && results[1]) && loop_.io.run_one() > 0) {
    }
    ASSERT_TRUE(results[0] && results[1]);
    const auto& refused = results[0]->has_value() ? *results[1] : *results[0];
    ASSERT_NE(results[0]->has_value(), results[1]->has_value());
    EXPECT_EQ(refused.error().code, Errc::conflict) << refused.error().message;
    ASSERT_EQ(versions_of(*first, id).size(), 1U);
  }
}

// What one instance knows of a large value counts only while no other has written its series.
TEST_F(WriterTest, LargeValuesOfSeveralInstancesAreWhole) {
  const auto first = open();
  const auto second = open();
  std::string value;
  for (int i = 0; i < 40; ++i) {
    value += fmt::format("what the turn {} says is long enough to be told apart from any other; ", i);
    NewCheckpoint checkpoint;
    checkpoint.key = {"thread", "", fmt::format("{:03}", i)};
    checkpoint.checkpoint = {"msgpack", "c"};
    checkpoint.channel_versions = fmt::format(R"({{"messages":"{}"}})", i);
    checkpoint.values.push_back({"messages", std::to_string(i), {"msgpack", value}});
    Commit commit;
    commit.changes.emplace_back(PutCheckpoint{checkpoint});
    auto& store = i % 3 == 0 ? *first : *second;
    ASSERT_TRUE(loop_.wait(store.commit(std::move(commit))));
    const auto tuple = loop_.wait(first->checkpoint("thread", "", "")).value().value();
    ASSERT_EQ(tuple.values.at(0).value.data, value) << i;
  }
}

// An older value that one instance holds is of no use once another has deleted what it was made of.
TEST_F(WriterTest, AValueThatAnotherInstanceDeletedIsWrittenAgain) {
  const auto first = open();
  const auto second = open();
  const auto put = [&](const std::string& version, const std::string& run, const std::string& value) {
    NewCheckpoint checkpoint;
    checkpoint.key = {"thread", "", version};
    checkpoint.run_id = run;
    checkpoint.checkpoint = {"msgpack", "c"};
    checkpoint.channel_versions = fmt::format(R"({{"messages":"{}"}})", version);
    checkpoint.values.push_back({"messages", version, {"msgpack", value}});
    Commit commit;
    commit.changes.emplace_back(PutCheckpoint{checkpoint});
    ASSERT_TRUE(loop_.wait(first->commit(std::move(commit))));
  };
  const auto text = [](int from) {
    std::string out;
    for (int i = from; i < from + 40; ++i) out += fmt::format("sentence {} is like no other; ", i * 7919);
    return out;
  };
  put("1", "kept", text(0));
  put("2", "erased", text(1000));
  put("3", "kept", text(2000));
  Commit erase;
  erase.changes.emplace_back(EraseRun{"erased"});
  ASSERT_TRUE(loop_.wait(second->commit(std::move(erase))));
  put("4", "kept", text(1000));
  const auto tuple = loop_.wait(second->checkpoint("thread", "", "")).value().value();
  EXPECT_EQ(tuple.key.checkpoint_id, "4");
  EXPECT_EQ(tuple.values.at(0).value.data, text(1000));
}

}  // namespace
}  // namespace dg::store::postgres
