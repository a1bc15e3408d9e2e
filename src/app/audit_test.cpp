// Each kind of damage to a database on SQLite is found and named.
#include "app/audit_testing.hpp"

namespace dg::app::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

TEST_F(AuditTest, DamageOfEventsIsNamed) {
  const auto& id = done_.id;
  expect_found("UPDATE events SET version = 9 WHERE aggregate_id = '" + id + "' AND version = 4",
               "version-gap run=" + id + " version=4: the event with version 9 comes where 4 is due");
  expect_found("UPDATE heads SET version = 7 WHERE aggregate_id = '" + failed_.id + "'",
               "head-wrong run=" + failed_.id);
  expect_found("DELETE FROM heads WHERE aggregate_id = '" + lost_.id + "'",
               "head-wrong run=" + lost_.id + ": it has no head");
  expect_found(
      "UPDATE heads SET erased = 1 WHERE aggregate_id = '" + queued_.id + "'",
      "head-wrong run=" + queued_.id + " thread=" + queued_.thread_id + ": its head says that it was erased");
  expect_found("UPDATE heads SET erased = 0 WHERE aggregate_id = '" + deleted_.id + "'",
               "head-wrong run=" + deleted_.id + " thread=" + deleted_.thread_id + ": it was deleted");
  expect_found("UPDATE heads SET turn = 99 WHERE aggregate_id = '" + done_.thread_id + "'",
               "head-wrong thread=" + done_.thread_id + ": its head counts 99");
  expect_found("UPDATE heads SET erased = 1 WHERE aggregate_id = '" + assistant_ + "'",
               "head-wrong assistant=" + assistant_);
  expect_found("UPDATE events SET payload = '{}' WHERE aggregate_id = '" + failed_.id + "' AND version = 2",
               "event-unreadable run=" + failed_.id + " version=2: the event RunStarted cannot be read");
  expect_found(
      "UPDATE events SET type = 'CheckpointSaved', payload = "
      "'{\"checkpoint_id\":\"c\",\"ns\":\"\",\"revision\":"
      "\"\"}' WHERE aggregate_id = '" +
          running_.id + "' AND version = 2",
      "event-impossible run=" + running_.id +
          " version=2: CheckpointSaved cannot come here: the run is queued");
  expect_found("UPDATE events SET thread_id = '" + left_ + "' WHERE aggregate_id = '" + queued_.id + "'",
               "event-misplaced run=" + queued_.id + " version=1");
  expect_found("INSERT INTO heads (aggregate_id, type, version) VALUES ('x', 'cron', 0)",
               "aggregate-unknown aggregate=cron id=x");
}

TEST_F(AuditTest, DamageOfReadTablesIsNamed) {
  expect_found(
      "UPDATE runs SET state = 'failed', attempt = 4 WHERE id = '" + done_.id + "'",
      "row-differs run=" + done_.id + ": runs: state is failed, must be completed; attempt is 4, must be 1");
  expect_found("UPDATE threads SET status = 'idle', temporary = 0 WHERE id = '" + failed_.thread_id + "'",
               "row-differs thread=" + failed_.thread_id +
                   ": threads: status is idle, must be error; temporary is 0, must be 1");
  for (const std::string table : {"threads", "runs", "assistants"})
    expect_found("UPDATE " + table + " SET owner = 'bob' WHERE owner = 'ann'", "row-differs");
  expect_found("UPDATE assistants SET description = 'd' WHERE id = '" + assistant_ + "'",
               "row-differs assistant=" + assistant_ + ": assistants: description is d, must be nothing");
  expect_found("DELETE FROM assistant_versions WHERE assistant_id = '" + assistant_ + "' AND number = 2",
               "row-missing assistant=" + assistant_ + " number=2");
  expect_found("DELETE FROM threads WHERE id = '" + done_.thread_id + "'",
               "row-missing thread=" + done_.thread_id);
  expect_found(
      "INSERT INTO threads (id, metadata, config, created_at, updated_at, state_updated_at) "
      "VALUES ('zzz', '{}', '{}', 0, 0, 0)",
      "row-extra thread=zzz");
}

TEST_F(AuditTest, DamageOfLogsAndStreamsIsNamed) {
  const auto& thread = running_.thread_id;
  expect_found("UPDATE heads SET seq = seq + 1 WHERE aggregate_id = '" + thread + "'",
               "log-gap thread=" + thread);
  expect_found("UPDATE events SET seq = 999 WHERE aggregate_id = '" + queued_.id + "'",
               "log-place thread=" + thread + " seq=999: RunCreated of " + queued_.id);
  expect_found("UPDATE events SET seq = 1 WHERE aggregate_id = '" + queued_.id + "'",
               "log-place thread=" + thread + " seq=1: ");
  expect_found("UPDATE segments SET first_no = first_no + 1 WHERE run_id = '" + running_.id + "'",
               "stream-gap run=" + running_.id + " thread=" + thread +
                   " segment=1: the frame with number 1 comes where 0");
  expect_found("UPDATE segments SET count = 5 WHERE run_id = '" + queued_.id + "'",
               "segment-broken run=" + queued_.id + " thread=" + thread + " segment=0: 1 of its 5 frames");
  expect_found("UPDATE segments SET first_seq = 1 WHERE run_id = '" + done_.id + "'",
               "log-place thread=" + done_.thread_id + " seq=1: a frame of " + done_.id);
  expect_found(
      "INSERT INTO segments (run_id, first_no, count, first_seq, pending, data, cuts) "
      "SELECT run_id, 50, 1, 1, 0, data, cuts FROM segments WHERE run_id = '" +
          failed_.id + "' AND first_no = 0",
      "stream-order run=" + failed_.id + " thread=" + failed_.thread_id + " segment=50");
  expect_found("UPDATE segments SET run_id = '" + deleted_.id + "' WHERE run_id = '" + lost_.id + "'",
               "frames-left run=" + deleted_.id);
}

TEST_F(AuditTest, DamageOfLeasesIsNamed) {
  const auto ids = " run=" + running_.id + " thread=" + running_.thread_id;
  const auto owned = " WHERE owner = '" + running_.id + "'";
  expect_found("UPDATE leases SET epoch = 5" + owned, "epoch-wrong" + ids + ": the lease has epoch 5");
  expect_found("UPDATE leases SET session_id = 'other'" + owned,
               "lease-wrong" + ids + ": the lease is of the session other");
  expect_found("UPDATE leases SET owner = '" + queued_.id + "'" + owned,
               "lease-wrong run=" + queued_.id + " thread=" + queued_.thread_id +
                   ": there is a lease, and the run is queued");
  EXPECT_THAT(findings(), Contains(StartsWith("lease-missing" + ids)));
  expect_found("UPDATE leases SET thread_id = '" + left_ + "' WHERE owner = '" + lost_.id + "'",
               "lease-wrong owner=" + lost_.id + " thread=" + left_);
  expect_found(
      "UPDATE events SET type = 'RunStarted', version = 2, payload = '{\"session_id\":\"s\",\"worker\":\"w\","
      "\"revision\":\"r\",\"epoch\":1,\"attempt\":1}' WHERE aggregate_id = '" +
          queued_.id + "'",
      "runs-at-once run=" + queued_.id);
}

TEST_F(AuditTest, DamageOfCheckpointsIsNamed) {
  const auto& thread = done_.thread_id;
  const auto place = " thread=" + thread + " ns= checkpoint=c1: ";
  expect_found(
      "INSERT INTO checkpoint_values SELECT thread_id, ns, channel, 'v9', type, series, data FROM "
      "checkpoint_values "
      "WHERE thread_id = '" +
          thread + "'",
      "value-unreferenced thread=" + thread + " ns= channel=messages version=v9");
  expect_found("UPDATE checkpoints SET has_next = 1 WHERE thread_id = '" + thread + "'",
               "checkpoint-column" + place + "its column has_next");
  expect_found("UPDATE checkpoints SET metadata_run_id = 'r' WHERE thread_id = '" + thread + "'",
               "checkpoint-column" + place + "its column metadata_run_id");
  expect_found("UPDATE checkpoints SET run_id = '" + deleted_.id + "' WHERE thread_id = '" + thread + "'",
               "checkpoint-left" + place);
  expect_found("INSERT INTO checkpoint_tasks VALUES ('" + left_ + "', '', 'c', 't', '{}')",
               "state-left thread=" + left_ + " table=checkpoint_tasks");
}

TEST_F(AuditTest, DamageOfPartsIsNamed) {
  const auto& thread = large_.thread_id;
  const auto place = " thread=" + thread + " ns= ";
  const auto series = [&](const std::string& kind) {
    return "(SELECT id FROM series WHERE kind = '" + kind + "' AND thread_id = '" + thread + "')";
  };
  expect_found(
      "UPDATE checkpoint_values SET data = x'80' WHERE version = 'c1' AND thread_id = '" + thread + "'",
      "recipe-unreadable" + place + "channel=messages version=c1: ");
  expect_found(
      "INSERT INTO series_parts SELECT series, at + 1000000, size, data FROM series_parts WHERE series = " +
          series("blob"),
      "part-unreferenced" + place + "channel=messages series=");
  expect_found("UPDATE series_parts SET size = size + 1 WHERE at = 0 AND series = " + series("blob"),
               "part-broken" + place + "channel=messages series=");
  expect_found("DELETE FROM series_parts WHERE series = " + series("json"),
               "part-missing" + place + "checkpoint=c1: the series ");
  EXPECT_THAT(findings(),
              Contains(StartsWith("part-missing thread=" + thread + " run=" + large_.id + " segment=0")));
  expect_found("DELETE FROM series WHERE id = " + series("blob"),
               "part-missing" + place + "channel=messages version=c5: the series ");
  EXPECT_THAT(findings(), Contains(StartsWith("part-unreferenced series=")));
}

TEST_F(AuditTest, DamageOfTheFileIsNamed) {
  damage("PRAGMA writable_schema = 1; DELETE FROM sqlite_schema WHERE name = 'threads_updated'");
  EXPECT_THAT(findings(), Contains(AllOf(StartsWith("file-damaged: "), HasSubstr("never used"))));
}

TEST_F(AuditTest, FindingsAreCountedBeyondTheLimit) {
  damage("DELETE FROM runs");
  const auto audit = store::open_sqlite_audit(path());
  const auto verified = store::audit::verify(**audit, 2);
  EXPECT_THAT(verified->findings.kept(), SizeIs(2));
  EXPECT_GT(verified->findings.total(), 5U);
  EXPECT_EQ(verified->findings.counts().at("row-missing"), verified->findings.total());
}

TEST(AuditOpen, WhatIsNoDatabaseIsRefused) {
  const ScratchFolder folder("audit");
  const auto path = folder.path() / "other.db";
  EXPECT_EQ(store::open_sqlite_audit(path).error().code, Errc::not_found);
  EXPECT_EQ(store::open_sqlite_rebuilding(path).error().code, Errc::not_found);
  (*store::sqlite::Database::open({.path = path.string()}))->run_script("CREATE TABLE t (x)");
  const auto refused = store::open_sqlite_audit(path);
  EXPECT_EQ(refused.error().code, Errc::conflict);
  EXPECT_THAT(refused.error().message, HasSubstr("it is no database of this program"));
}

}  // namespace
}  // namespace dg::app::testing
