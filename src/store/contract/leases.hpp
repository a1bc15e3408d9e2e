// Who may write: fences and leases.
#pragma once

#include "store/contract/contract.hpp"

namespace dg::store::contract {

namespace {
Commit fenced(const std::string& owner, std::int64_t epoch, std::int64_t first_n, std::int64_t last_n) {
  Commit c;
  c.conditions.emplace_back(Fence{owner, epoch, first_n, last_n});
  return c;
}
}  // namespace

TEST_P(StoreContract, FenceTakesMessagesInOrderOnce) {
  const auto thread = add_thread();
  const auto run = new_id();
  EXPECT_EQ(refusal(commit(fenced(run, 1, 1, 1))), Errc::superseded);
  apply(PutLease{{run, LeaseKind::run, thread, 1, "session", 0}});
  EXPECT_EQ(refusal(commit(fenced(run, 1, 1, 3))), std::nullopt);
  EXPECT_EQ(get(store().lease(run)).value().applied_n, 3);
  const auto repeat = commit(fenced(run, 1, 2, 3));
  ASSERT_EQ(refusal(repeat), Errc::conflict);
  EXPECT_EQ(repeat.error().message, "already applied");
  EXPECT_EQ(refusal(commit(fenced(run, 1, 5, 5))), Errc::superseded);  // a gap
  EXPECT_EQ(refusal(commit(fenced(run, 1, 3, 4))), Errc::conflict);    // an overlap
  EXPECT_EQ(refusal(commit(fenced(run, 2, 4, 4))), Errc::superseded);
  EXPECT_EQ(refusal(commit(fenced(run, 0, 0, 0))), Errc::superseded);
  EXPECT_EQ(refusal(commit(fenced(run, 1, 0, 0))), std::nullopt);
  EXPECT_EQ(get(store().lease(run)).value().applied_n, 3);
  EXPECT_EQ(refusal(commit(fenced(run, 1, 4, 4))), std::nullopt);
}

TEST_P(StoreContract, ALeaseTellsWhetherItsThreadHasCheckpoints) {
  const auto one = add_thread();
  const auto two = add_thread();
  const auto lease_both = [&](std::int64_t epoch) {
    return apply(PutLease{{one + "-owner", LeaseKind::run, one, epoch, "s", 0}},
                 PutLease{{two + "-owner", LeaseKind::run, two, epoch, "s", 0}})
        .has_checkpoints;
  };
  EXPECT_EQ(lease_both(1), (std::vector{false, false}));
  apply(PutWrites{make_writes(one, "1", "task", {{0, "x", {"t", "w"}}})});
  EXPECT_EQ(lease_both(2), (std::vector{false, false}));
  auto inner = make_checkpoint(two, "1");
  inner.key.ns = "sub|1";
  apply(PutCheckpoint{inner});
  EXPECT_EQ(lease_both(3), (std::vector{false, true}));
  apply(EraseCheckpoints{two, false});
  EXPECT_EQ(lease_both(4), (std::vector{false, false}));
}

TEST_P(StoreContract, FencedBatchIsAppliedInOrder) {
  const auto thread = add_thread();
  const auto run = new_id();
  apply(PutLease{{run, LeaseKind::run, thread, 1, "session", 0}});
  std::vector<Commit> commits;
  for (int n = 1; n <= 50; ++n) {
    auto c = fenced(run, 1, n, n);
    c.changes.emplace_back(AppendFrames{run, thread, make_frames(n - 1, 1)});
    commits.push_back(std::move(c));
  }
  std::int64_t expected = 0;
  for (const auto& result : commit_together(std::move(commits))) {
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->first_frames, std::vector{expected++});
  }
}

TEST_P(StoreContract, SupersededCommitWritesNothing) {
  const auto thread = add_thread();
  const auto run = new_id();
  apply(PutLease{{run, LeaseKind::run, thread, 2, "session", 0}});
  apply(PutCheckpoint{make_checkpoint(thread, "1")});
  auto stale = fenced(run, 1, 1, 1);
  stale.appends.push_back(run_event(run, std::nullopt, thread));
  stale.changes.emplace_back(AppendFrames{run, thread, make_frames(0, 1)});
  stale.changes.emplace_back(PutCheckpoint{make_checkpoint(thread, "2")});
  stale.changes.emplace_back(PutWrites{make_writes(thread, "1", "task", {{0, "x", {"t", "w"}}})});
  stale.changes.emplace_back(PutItem{{"a"}, "k", "1"});
  EXPECT_EQ(refusal(commit(std::move(stale))), Errc::superseded);
  EXPECT_TRUE(get(store().events(run)).empty());
  EXPECT_EQ(get(store().frame_count(run)), 0);
  const auto newest = get(store().checkpoint(thread, "", "")).value();
  EXPECT_EQ(newest.key.checkpoint_id, "1");
  EXPECT_TRUE(newest.writes.empty());
  EXPECT_FALSE(get(store().item({"a"}, "k")));
}

TEST_P(StoreContract, OneOwnerHoldsAThread) {
  const auto thread = add_thread();
  const auto one = new_id();
  const auto two = new_id();
  const auto take = [&](const std::string& owner, std::int64_t epoch) {
    Commit c;
    c.changes.emplace_back(PutLease{{owner, LeaseKind::run, thread, epoch, "s", 7}});
    return refusal(commit(std::move(c)));
  };
  EXPECT_EQ(take(one, 1), std::nullopt);
  EXPECT_EQ(get(store().lease(one)).value().applied_n, 0);
  EXPECT_EQ(take(two, 1), Errc::busy);
  EXPECT_EQ(take(one, 2), std::nullopt);
  EXPECT_EQ(get(store().thread_head(thread)).lease.value().epoch, 2);
  EXPECT_EQ(get(store().leases()).size(), 1U);

  Commit hand_over;
  hand_over.changes.emplace_back(DropLease{one});
  hand_over.changes.emplace_back(PutLease{{two, LeaseKind::run, thread, 1, "s", 0}});
  EXPECT_TRUE(commit(std::move(hand_over)));
  EXPECT_FALSE(get(store().lease(one)));
  EXPECT_EQ(get(store().thread_head(thread)).lease.value().owner, two);

  Commit both;
  const auto other = add_thread();
  both.changes.emplace_back(PutLease{{new_id(), LeaseKind::run, other, 1, "s", 0}});
  both.changes.emplace_back(PutLease{{new_id(), LeaseKind::run, other, 1, "s", 0}});
  EXPECT_EQ(refusal(commit(std::move(both))), Errc::busy);
  EXPECT_FALSE(get(store().thread_head(other)).lease);
}

TEST_P(StoreContract, OneOfManyClaimsAThread) {
  const auto thread = add_thread();
  std::vector<Commit> commits;
  for (int i = 0; i < 30; ++i) {
    Commit c;
    const auto owner = new_id();
    c.appends.push_back(run_event(owner, 0, thread));
    c.changes.emplace_back(PutLease{{owner, LeaseKind::run, thread, 1, "s", 0}});
    commits.push_back(std::move(c));
  }
  int winners = 0;
  for (const auto& result : commit_together(std::move(commits))) {
    if (result) ++winners;
    EXPECT_TRUE(result || result.error().code == Errc::busy);
  }
  EXPECT_EQ(winners, 1);
  EXPECT_EQ(get(store().thread_head(thread)).turn, 1);
}

TEST_P(StoreContract, RenewedLeaseCountsAnew) {
  const auto thread = add_thread();
  const auto run = new_id();
  apply(PutLease{{run, LeaseKind::run, thread, 1, "a", 0}});
  ASSERT_TRUE(commit(fenced(run, 1, 1, 9)));
  apply(PutLease{{run, LeaseKind::run, thread, 2, "b", 0}});
  EXPECT_EQ(refusal(commit(fenced(run, 1, 10, 10))), Errc::superseded);
  EXPECT_EQ(refusal(commit(fenced(run, 2, 1, 1))), std::nullopt);
  EXPECT_EQ(get(store().lease(run)).value().session_id, "b");
}

TEST_P(StoreContract, DeletedThreadHasNoLease) {
  const auto thread = add_thread();
  const PutLease lease{{new_id(), LeaseKind::operation, thread, 1, "s", 0}};
  apply(EraseThread{thread});
  Commit late;
  late.changes.emplace_back(lease);
  EXPECT_EQ(refusal(commit(std::move(late))), Errc::conflict);
  Commit again;
  again.appends.push_back({domain::AggregateType::thread, thread, 0, thread, {{"ThreadCreated", "{}"}}});
  again.changes.emplace_back(lease);
  EXPECT_TRUE(commit(std::move(again)));
}

TEST_P(StoreContract, LeaseIsNoUpdateOfItsThread) {
  const auto thread = add_thread();
  const auto before = get(store().thread(thread)).value().thread.updated_at;
  apply(PutLease{{"operation", LeaseKind::operation, thread, 1, "s", 0}});
  EXPECT_EQ(status_of(thread), domain::ThreadStatus::busy);
  apply(DropLease{"operation"});
  EXPECT_EQ(get(store().thread(thread)).value().thread.updated_at, before);
}

}  // namespace dg::store::contract
