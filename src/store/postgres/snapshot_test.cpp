#include "store/postgres/snapshot.hpp"

#include "store/postgres/testing/rows.hpp"

namespace dg::store::postgres {
namespace {

class SnapshotTest : public testing::RowsTest {
 protected:
  using Then = Snapshot::Then;
  // Reads the number of threads.
  std::int64_t count(Snapshot& snapshot, Then then) {
    Pipeline pipeline;
    pipeline.add("SELECT count(*) FROM threads");
    auto rows = loop_.wait(snapshot.run(std::move(pipeline), then)).value();
    return rows.at(0).next() ? rows[0].integer() : -1;
  }
  void add_thread_elsewhere() {
    database_.owner().run(
        "INSERT INTO threads (id, metadata, search, config, created_at, updated_at, state_updated_at) "
        "VALUES (clock_timestamp()::text, '{}', '{}', '{}', now(), now(), now())");
  }
};

TEST_F(SnapshotTest, SeesOneMoment) {
  Snapshot snapshot(db(), Snapshot::Hold::for_rows);
  EXPECT_EQ(count(snapshot, Then::more), 0);
  add_thread_elsewhere();
  EXPECT_EQ(count(snapshot, Then::done), 0);
  EXPECT_FALSE(db().in_transaction());
  EXPECT_EQ(count(snapshot, Then::done), 1);
}

TEST_F(SnapshotTest, IsHeldForLargeValuesWhereItIsAskedFor) {
  const auto kept = keep("a value");
  Snapshot snapshot(db(), Snapshot::Hold::for_values);
  EXPECT_EQ(count(snapshot, Then::done), 0);
  EXPECT_TRUE(db().in_transaction());
  SeriesValues values;
  values.want(kept);
  ASSERT_TRUE(loop_.wait(snapshot.load(values, Then::done)));
  EXPECT_FALSE(db().in_transaction());
}

TEST_F(SnapshotTest, AWalkGivesAllRowsInParts) {
  Snapshot snapshot(db());
  Walk walk(snapshot, "number_walk", "SELECT generate_series(1, $1)", Params(7), 3);
  std::vector<std::int64_t> numbers, sizes;
  do {
    auto rows = loop_.wait(walk.next()).value();
    sizes.push_back(rows.size());
    while (rows.next()) numbers.push_back(rows.integer());
  } while (sizes.back() > 0);
  EXPECT_EQ(sizes, (std::vector<std::int64_t>{3, 3, 1, 0}));
  EXPECT_EQ(numbers, (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7}));
  EXPECT_TRUE(db().in_transaction());
  ASSERT_TRUE(loop_.wait(snapshot.end()));
  EXPECT_FALSE(db().in_transaction());
}

// What names a value gives the place of it, and what is stored there.
struct Named {
  delta::Ref ref;
  std::string value;
};

Task<Outcome<Named>> read_name(Snapshot& snapshot, SeriesValues& values, delta::Ref ref) {
  Pipeline pipeline;
  pipeline.add("SELECT 1");
  auto rows = co_await snapshot.run(std::move(pipeline), Snapshot::Then::done);
  if (!rows) co_return fail_with(std::move(rows.error()));
  values.want(ref);
  co_return Named{std::move(ref), ""};
}

TEST_F(SnapshotTest, AReadBeginsAgainWhereWhatItNamesWasRemovedMeanwhile) {
  const auto kept = keep("still there");
  delta::Recipe recipe;
  recipe.add_range(1000, 5);
  const delta::Ref removed{1, recipe.encode()};
  std::vector<bool> held;
  const auto finish = [&](Named& named, SeriesValues& values) {
    held.push_back(db().in_transaction());
    named.value = values.value(named.ref);
  };
  const auto read_second = [&](Snapshot& snapshot, SeriesValues& values) {
    return read_name(snapshot, values, held.empty() ? removed : kept);
  };
  EXPECT_EQ(get(read_with_values<Named>(db(), read_second, finish)).value, "still there");
  EXPECT_EQ(held.size(), 2U);

  held.clear();
  const auto read_removed = [&](Snapshot& snapshot, SeriesValues& values) {
    return read_name(snapshot, values, removed);
  };
  EXPECT_FALSE(loop_.wait(read_with_values<Named>(db(), read_removed, finish)));
  EXPECT_EQ(held.size(), 2U);
}

}  // namespace
}  // namespace dg::store::postgres
