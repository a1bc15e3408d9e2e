// What follows from events, checkpoints and leases is rebuilt as it was.
#include "app/audit_testing.hpp"

namespace dg::app::testing {
namespace {

using store::audit::ReadTable;
using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::StartsWith;

TEST_F(AuditTest, RebuildRestoresWhatWasLost) {
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

TEST_F(AuditTest, RebuildCorrectsWhatIsWrong) {
  const auto before = tables();
  // The wrong row is in the way of the right one: one run of a thread is in progress.
  damage(
      "DELETE FROM runs WHERE id = '" + running_.id +
      "'; UPDATE runs SET state = 'in_progress' WHERE id = '" + queued_.id +
      "'; UPDATE threads SET updated_at = 1, status = 'idle', error = 'x'; "
      "INSERT INTO assistant_versions SELECT assistant_id, 77, graph_id, name, description, config, context, "
      "metadata, created_at FROM assistant_versions WHERE assistant_id = '" +
      assistant_ + "' AND number = 1");
  const auto rebuilt = rebuild();
  EXPECT_EQ(tables(), before);
  EXPECT_EQ(rebuilt.tables.at(ReadTable::runs).added, 1);
  EXPECT_EQ(rebuilt.tables.at(ReadTable::runs).changed, 1);
  EXPECT_EQ(rebuilt.tables.at(ReadTable::assistant_versions).removed, 1);
  EXPECT_GT(rebuilt.tables.at(ReadTable::threads).changed, 8);
}

TEST_F(AuditTest, RebuildLeavesWhatCannotBeReadAlone) {
  damage("UPDATE events SET payload = '{}' WHERE aggregate_id = '" + done_.id +
         "' AND version = 2; "
         "UPDATE runs SET attempt = 9 WHERE id = '" +
         done_.id + "'");
  const auto before = tables();
  const auto rebuilt = rebuild();
  EXPECT_THAT(lines_of(rebuilt.findings), Contains(StartsWith("event-unreadable run=" + done_.id)));
  EXPECT_EQ(tables(), before);
}

TEST_F(AuditTest, PlanOfARebuildChangesNothing) {
  damage("DELETE FROM runs");
  const auto before = tables();
  const auto audit = store::open_sqlite_audit(path_);
  const auto planned = store::audit::plan_rebuild(**audit, 10);
  EXPECT_GT(planned->tables.at(ReadTable::runs).added, 5);
  EXPECT_EQ(tables(), before);
}

}  // namespace
}  // namespace dg::app::testing
