// Databases that the use cases made are clean on every store, and are rebuilt as they were.
#include <functional>

#include "app/audit_postgres_testing.hpp"

namespace dg::app::testing {
namespace {

using store::audit::ReadTable;
using ::testing::IsEmpty;

struct AuditedStore {
  std::string name;
  std::function<std::unique_ptr<AuditedDatabase>()> make;
};

class EveryAuditTest : public AuditedLife, public ::testing::WithParamInterface<AuditedStore> {
 protected:
  EveryAuditTest() : AuditedLife(GetParam().make()) {}
};

TEST_P(EveryAuditTest, WhatAServerLeavesIsClean) {
  EXPECT_THAT(findings(), IsEmpty());
  worker_.complete(running_, 2);
  server_.pass(std::chrono::minutes(5));  // leases end, frames are dropped
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_P(EveryAuditTest, CountsWhatWasChecked) {
  const auto audit = database_->open_audit();
  const auto checked = store::audit::verify(**audit, 10)->checked;
  EXPECT_EQ(checked.leases, 4);
  EXPECT_GT(checked.events, 50);
  EXPECT_GT(checked.threads, 8);
  EXPECT_GT(checked.runs, 6);
  EXPECT_GT(checked.frames, 10);
  EXPECT_EQ(checked.values, checked.checkpoints - 1);
}

TEST_P(EveryAuditTest, RebuildRestoresWhatWasLost) {
  const auto before = tables();
  EXPECT_GT(before.size(), 20U);
  damage("DELETE FROM runs; DELETE FROM threads; DELETE FROM assistants; DELETE FROM assistant_versions");
  const auto rebuilt = rebuild();
  EXPECT_THAT(lines_of(rebuilt.findings), IsEmpty());
  EXPECT_EQ(tables(), before);
  std::int64_t added = 0;
  for (const auto& [table, counts] : rebuilt.tables) added += counts.added;
  EXPECT_EQ(added, std::ssize(before));
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_P(EveryAuditTest, PlanOfARebuildChangesNothing) {
  damage("DELETE FROM runs");
  const auto before = tables();
  const auto audit = database_->open_audit();
  const auto planned = store::audit::plan_rebuild(**audit, 10);
  EXPECT_GT(planned->tables.at(ReadTable::runs).added, 5);
  EXPECT_EQ(tables(), before);
}

const auto stores =
    ::testing::Values(AuditedStore{"sqlite", [] { return std::make_unique<AuditedFile>(); }},
                      AuditedStore{"postgres", [] { return std::make_unique<AuditedPostgres>(); }});
INSTANTIATE_TEST_SUITE_P(Stores, EveryAuditTest, stores, [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace dg::app::testing
