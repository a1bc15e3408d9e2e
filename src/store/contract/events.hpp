// Appending events: versions, places in the log, turns, and batches of winners and losers.
#pragma once

#include <set>

#include "store/contract/contract.hpp"

namespace dg::store::contract {

TEST_P(StoreContract, EventsGetVersionsAndPlacesWithoutGaps) {
  const auto thread = add_thread();
  const auto run = new_id();
  Commit first;
  first.event_metadata = R"({"actor":"me"})";
  first.appends.push_back(
      {domain::AggregateType::run, run, 0, thread, {{"RunCreated", R"({"a":1})"}, {"RunStarted", "{}"}}});
  ASSERT_TRUE(commit(std::move(first)));
  Commit second;
  second.appends.push_back(run_event(run, 2, thread, "RunCompleted"));
  ASSERT_TRUE(commit(std::move(second)));

  const auto events = get(store().events(run));
  ASSERT_EQ(events.size(), 3U);
  std::set<std::string> ids;
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].version, static_cast<std::int64_t>(i) + 1);
    EXPECT_EQ(events[i].seq, static_cast<std::int64_t>(i) + 2);  // ThreadCreated took the first
    EXPECT_EQ(events[i].thread_id, thread);
    EXPECT_EQ(events[i].aggregate, domain::AggregateType::run);
    EXPECT_TRUE(is_uuid(events[i].id));
    ids.insert(events[i].id);
  }
  EXPECT_EQ(ids.size(), 3U);
  EXPECT_EQ(events[0].payload, R"({"a":1})");
  EXPECT_EQ(events[0].metadata, R"({"actor":"me"})");
  EXPECT_EQ(events[2].type, "RunCompleted");
}

// What is folded from the events later has the times of the rows that were put with them.
TEST_P(StoreContract, DecidedCommitHasTheTimeOfItsDecision) {
  const auto thread = add_thread();
  const auto at = env_.clock.now() + std::chrono::hours(1);
  auto run = make_run(thread);
  Commit c{.at = at};
  c.appends.push_back(run_event(run.id, 0, thread));
  c.changes.emplace_back(PutRun{run});
  c.changes.emplace_back(PutCheckpoint{make_checkpoint(thread, "1")});
  ASSERT_TRUE(commit(std::move(c)));
  EXPECT_EQ(get(store().events(run.id)).at(0).at, at);
  const auto row = get(store().thread(thread)).value();
  EXPECT_EQ(row.thread.updated_at, at);
  EXPECT_EQ(row.state_updated_at, at);
}

TEST_P(StoreContract, CommitsThatAreWrittenTogetherKeepTheirTimes) {
  const auto thread = add_thread();
  const auto at = [start = env_.clock.now()](int hours) { return start + std::chrono::hours(hours); };
  Commit state{.at = at(1)};
  state.appends.push_back(run_event(new_id(), 0, thread));
  state.changes.emplace_back(PutCheckpoint{make_checkpoint(thread, "1")});
  Commit event{.at = at(2)};
  event.appends.push_back(run_event(new_id(), 0, thread));
  Commit lease{.at = at(3)};
  lease.changes.emplace_back(PutLease{{new_id(), LeaseKind::operation, thread, 1, "session", 0}});
  for (const auto& result : commit_together({Commit{}, std::move(state), std::move(event), std::move(lease)}))
    EXPECT_TRUE(result);
  const auto row = get(store().thread(thread)).value();
  EXPECT_EQ(row.state_updated_at, at(1));
  EXPECT_EQ(row.thread.updated_at, at(2));
  EXPECT_EQ(row.status, domain::ThreadStatus::busy);
}

TEST_P(StoreContract, ConflictLeavesNothing) {
  const auto thread = add_thread();
  const auto one = new_id();
  const auto two = new_id();
  Commit first;
  first.appends.push_back(run_event(one, 0, thread));
  ASSERT_TRUE(commit(std::move(first)));
  const auto turn = get(store().thread_head(thread)).turn;

  Commit loser;
  loser.appends.push_back(run_event(two, 0, thread));
  loser.appends.push_back(run_event(one, 0, thread));
  loser.changes.emplace_back(PutRun{make_run(thread)});
  loser.changes.emplace_back(PutItem{{"a"}, "k", "1"});
  EXPECT_EQ(refusal(commit(std::move(loser))), Errc::conflict);

  EXPECT_TRUE(get(store().events(two)).empty());
  EXPECT_EQ(get(store().events(one)).size(), 1U);
  EXPECT_TRUE(get(store().runs({}, {})).empty());
  EXPECT_FALSE(get(store().item({"a"}, "k")));
  EXPECT_EQ(get(store().thread_head(thread)).turn, turn);
}

TEST_P(StoreContract, AThreadNowIsAllThatDecides) {
  const auto thread = add_thread();
  const auto paused = add_run(thread, domain::RunState::requires_action);
  add_run(thread, domain::RunState::completed);
  const auto queued = add_run(thread, domain::RunState::queued);
  const auto now = get(store().thread_now(thread));
  EXPECT_EQ(now.head.turn, get(store().thread_head(thread)).turn);
  EXPECT_EQ(now.thread.value().id, thread);
  EXPECT_EQ(now.thread.value().version, get(store().thread(thread)).value().thread.version);
  ASSERT_EQ(now.open.size(), 2U);
  EXPECT_EQ(now.open[0].id, paused.id);
  EXPECT_EQ(now.open[1].id, queued.id);

  const auto nothing = get(store().thread_now(new_id()));
  EXPECT_EQ(nothing.head.turn, 0);
  EXPECT_FALSE(nothing.thread);
  EXPECT_TRUE(nothing.open.empty());
}

TEST_P(StoreContract, ErasingAThreadIsATurn) {
  const auto thread = add_thread();
  const auto turn = get(store().thread_head(thread)).turn;
  apply(EraseThread{thread});
  EXPECT_GT(get(store().thread_head(thread)).turn, turn);
  Commit late;
  late.conditions.emplace_back(ThreadUnchanged{thread, turn});
  late.appends.push_back(run_event(new_id(), 0, thread));
  EXPECT_EQ(refusal(commit(std::move(late))), Errc::conflict);
}

TEST_P(StoreContract, ExpectedVersionsAreExact) {
  const auto id = new_id();
  const auto append = [&](std::optional<std::int64_t> expected) {
    Commit c;
    c.appends.push_back(run_event(id, expected, ""));
    return refusal(commit(std::move(c)));
  };
  EXPECT_EQ(append(1), Errc::conflict);
  EXPECT_EQ(append(0), std::nullopt);
  EXPECT_EQ(append(0), Errc::conflict);
  EXPECT_EQ(append(2), Errc::conflict);
  EXPECT_EQ(append(std::nullopt), std::nullopt);
  EXPECT_EQ(append(2), std::nullopt);
  EXPECT_EQ(get(store().events(id)).back().seq, 0);
}

TEST_P(StoreContract, AppendsOfOneCommitSeeEachOther) {
  const auto id = new_id();
  Commit c;
  c.appends.push_back(run_event(id, 0, ""));
  c.appends.push_back(run_event(id, 1, ""));
  EXPECT_TRUE(commit(std::move(c)));
  EXPECT_EQ(get(store().events(id)).size(), 2U);
}

TEST_P(StoreContract, OneOfManyWinsEachRace) {
  constexpr int races = 20;
  constexpr int rivals = 10;
  std::vector<std::string> ids;
  std::vector<Commit> commits;
  for (int race = 0; race < races; ++race) {
    ids.push_back(new_id());
    for (int rival = 0; rival < rivals; ++rival) {
      Commit c;
      c.appends.push_back(run_event(ids.back(), 0, ""));
      c.changes.emplace_back(PutItem{{ids.back()}, std::to_string(rival), "1"});
      commits.push_back(std::move(c));
    }
  }
  const auto results = commit_together(std::move(commits));
  for (std::size_t race = 0; race < ids.size(); ++race) {
    int winners = 0;
    for (std::size_t rival = 0; rival < rivals; ++rival) {
      const auto& result = results[race * rivals + rival];
      if (result) ++winners;
      EXPECT_TRUE(result || result.error().code == Errc::conflict);
    }
    EXPECT_EQ(winners, 1);
    EXPECT_EQ(get(store().events(ids[race])).size(), 1U);
    EXPECT_EQ(get(store().items({{ids[race]}, "{}", 100, 0})).size(), 1U);
  }
}

TEST_P(StoreContract, ManyWritersShareOneLogWithoutGaps) {
  const auto thread = add_thread();
  std::vector<Commit> commits;
  std::vector<std::string> runs;
  for (int i = 0; i < 100; ++i) {
    runs.push_back(new_id());
    Commit c;
    c.appends.push_back(run_event(runs.back(), 0, thread));
    c.changes.emplace_back(AppendFrames{runs.back(), thread, make_frames(0, 2)});
    commits.push_back(std::move(c));
  }
  for (const auto& result : commit_together(std::move(commits))) EXPECT_TRUE(result);
  std::set<std::int64_t> places;
  for (const auto& run : runs)
    for (const auto& event : get(store().events(run))) places.insert(event.seq);
  EXPECT_EQ(places.size(), 100U);
  // Each commit took one place for its event and two for its frames.
  EXPECT_EQ(*places.rbegin(), 1 + 99 * 3 + 1);
  EXPECT_EQ(get(store().thread_head(thread)).turn, 100);
}

TEST_P(StoreContract, TurnGrowsWithRunEventsAlone) {
  const auto thread = add_thread();
  EXPECT_EQ(get(store().thread_head(thread)).turn, 0);
  EXPECT_EQ(get(store().thread_head(new_id())).turn, 0);
  const auto decide = [&](std::int64_t turn) {
    Commit c;
    c.conditions.emplace_back(ThreadUnchanged{thread, turn});
    c.appends.push_back(run_event(new_id(), 0, thread));
    return refusal(commit(std::move(c)));
  };
  EXPECT_EQ(decide(0), std::nullopt);
  EXPECT_EQ(decide(0), Errc::conflict);
  EXPECT_EQ(decide(1), std::nullopt);
  Commit patch;
  patch.appends.push_back({domain::AggregateType::thread, thread, 1, thread, {{"ThreadPatched", "{}"}}});
  ASSERT_TRUE(commit(std::move(patch)));
  EXPECT_EQ(get(store().thread_head(thread)).turn, 2);
}

TEST_P(StoreContract, VersionsOfRowsFollowTheEvents) {
  const auto thread = add_thread();
  auto run = make_run(thread);
  Commit c;
  c.appends.push_back(run_event(run.id, 0, thread));
  c.changes.emplace_back(PutRun{run});
  ASSERT_TRUE(commit(std::move(c)));
  Commit fact;
  fact.appends.push_back(run_event(run.id, std::nullopt, thread, "CheckpointSaved"));
  fact.changes.emplace_back(MarkRunCheckpoint{run.id});
  ASSERT_TRUE(commit(std::move(fact)));
  const auto stored = get(store().run(run.id)).value();
  EXPECT_EQ(stored.version, 2);
  EXPECT_TRUE(stored.has_checkpoint);
  EXPECT_EQ(get(store().thread(thread)).value().thread.version, 1);
}

TEST_P(StoreContract, ErasedIdsCanBeCreatedAgain) {
  const auto thread = add_thread();
  Commit erase;
  erase.appends.push_back({domain::AggregateType::thread, thread, 1, thread, {{"ThreadDeleted", "{}"}}});
  erase.changes.emplace_back(EraseThread{thread});
  ASSERT_TRUE(commit(std::move(erase)));
  EXPECT_FALSE(get(store().thread(thread)));
  EXPECT_EQ(get(store().events(thread)).size(), 2U);
  Commit create;
  create.appends.push_back({domain::AggregateType::thread, thread, 0, thread, {{"ThreadCreated", "{}"}}});
  create.changes.emplace_back(PutThread{{thread, "{}", "{}", {}, {}, 0}});
  ASSERT_TRUE(commit(std::move(create)));
  EXPECT_EQ(get(store().thread(thread)).value().thread.version, 3);
}

}  // namespace dg::store::contract
