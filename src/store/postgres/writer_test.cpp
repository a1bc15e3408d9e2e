// What the store does where the way to the database, or another instance, is in its way.
#include <gmock/gmock.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <thread>

#include "store/postgres/testing/writing.hpp"

namespace dg::store::postgres {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::appending;
using testing::WriterTest;

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
