// What follows from events, checkpoints and leases is rebuilt as it was.
#include "app/audit_testing.hpp"

namespace dg::app::testing {
namespace {

using store::audit::ReadTable;
using ::testing::Contains;
using ::testing::StartsWith;

TEST_F(AuditTest, RebuildCorrectsWhatIsWrong) {
  const auto before = tables();
  // The wrong row is in the way of the right one: one run of a thread is in progress.
  damage(
      "DELETE FROM runs WHERE id = '" + running_.id +
      "'; UPDATE runs SET state = 'in_progress' WHERE id = '" + queued_.id +
      "'; UPDATE threads SET updated_at = 1, status = 'idle', error = 'x', owner = 'x'; "
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

}  // namespace
}  // namespace dg::app::testing
