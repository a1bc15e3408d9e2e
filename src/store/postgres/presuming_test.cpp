// What a batch presumes, and what comes of presuming wrongly.
#include <gmock/gmock.h>

#include "store/postgres/testing/writing.hpp"

namespace dg::store::postgres {
namespace {

using testing::appending;
using testing::WriterTest;

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

}  // namespace
}  // namespace dg::store::postgres
