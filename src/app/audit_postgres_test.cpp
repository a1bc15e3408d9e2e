// Each kind of damage to a database on PostgreSQL is found and named.
#include "app/audit_postgres_testing.hpp"

namespace dg::app::testing {
namespace {

using ::testing::Contains;
using ::testing::StartsWith;

TEST_F(PostgresAuditTest, DamageOfEventsIsNamed) {
  const auto of_run = [](const domain::Run& run) { return " WHERE run_id = '" + run.id + "'"; };
  const auto of_head = [](const std::string& id) { return " WHERE aggregate_id = '" + id + "'"; };
  expect_found("UPDATE run_events SET event_version = 9" + of_run(done_) + " AND event_version = 4",
               "version-gap run=" + done_.id + " version=4: the event with version 9 comes where 4 is due");
  expect_found("DELETE FROM events" + of_head(assistant_) + " AND event_version = 2",
               "version-gap assistant=" + assistant_ + " version=2");
  expect_found("UPDATE event_streams SET version = 7" + of_head(failed_.id), "head-wrong run=" + failed_.id);
  expect_found("DELETE FROM event_streams" + of_head(lost_.id),
               "head-wrong run=" + lost_.id + ": it has no head");
  expect_found(
      "UPDATE event_streams SET erased = true" + of_head(queued_.id),
      "head-wrong run=" + queued_.id + " thread=" + queued_.thread_id + ": its head says that it was erased");
  expect_found("UPDATE event_streams SET erased = false" + of_head(deleted_.id),
               "head-wrong run=" + deleted_.id + " thread=" + deleted_.thread_id + ": it was deleted");
  expect_found("UPDATE event_streams SET turn = 99" + of_head(done_.thread_id),
               "head-wrong thread=" + done_.thread_id + ": its head counts 99");
  expect_found("UPDATE run_events SET payload = '{}'" + of_run(failed_) + " AND event_version = 2",
               "event-unreadable run=" + failed_.id + " version=2: the event RunStarted cannot be read");
  expect_found(
      "UPDATE run_events SET event_type = 'CheckpointSaved', payload = "
      "'{\"checkpoint_id\":\"c\",\"ns\":\"\",\"revision\":\"\"}'" +
          of_run(running_) + " AND event_version = 2",
      "event-impossible run=" + running_.id +
          " version=2: CheckpointSaved cannot come here: the run is queued");
  expect_found("UPDATE run_events SET thread_id = '" + left_ + "'" + of_run(queued_),
               "event-misplaced run=" + queued_.id + " version=1");
  expect_found("INSERT INTO event_streams (aggregate_id, aggregate_type) VALUES ('x', 'cron')",
               "aggregate-unknown aggregate=cron id=x");
}

TEST_F(PostgresAuditTest, DamageOfReadTablesIsNamed) {
  const auto of_run = " WHERE id = '" + done_.id + "'";
  expect_found(
      "UPDATE runs SET status = 'failed', attempt = 4" + of_run,
      "row-differs run=" + done_.id + ": runs: state is failed, must be completed; attempt is 4, must be 1");
  expect_found("UPDATE runs SET kwargs = '{}' WHERE id = '" + lost_.id + "'",
               "row-differs run=" + lost_.id + ": runs: request is {}, must be {");
  expect_found("UPDATE runs SET version = version - 1 WHERE id = '" + running_.id + "'",
               "row-differs run=" + running_.id + ": runs: version is not what it repeats");
  expect_found("UPDATE runs SET has_frames = NOT has_frames WHERE id = '" + failed_.id + "'",
               "row-differs run=" + failed_.id + ": runs: has_frames is 0, must be 1");
  expect_found("UPDATE threads SET status = 'idle', temporary = false WHERE id = '" + failed_.thread_id + "'",
               "row-differs thread=" + failed_.thread_id +
                   ": threads: status is idle, must be error; temporary is 0, must be 1");
  expect_found("UPDATE threads SET search = '{\"note\":\"y\"}' WHERE id = '" + done_.thread_id + "'",
               "row-differs thread=" + done_.thread_id + ": threads: search is not what it repeats");
  expect_found("UPDATE assistants SET description = 'd' WHERE id = '" + assistant_ + "'",
               "row-differs assistant=" + assistant_ + ": assistants: description is d, must be nothing");
  expect_found("DELETE FROM assistant_versions WHERE assistant_id = '" + assistant_ + "' AND version = 2",
               "row-missing assistant=" + assistant_ + " number=2");
  expect_found("DELETE FROM threads WHERE id = '" + done_.thread_id + "'",
               "row-missing thread=" + done_.thread_id);
  expect_found(
      "INSERT INTO threads (id, metadata, search, config, created_at, updated_at, state_updated_at) "
      "VALUES ('zzz', '{}', '{}', '{}', now(), now(), now())",
      "row-extra thread=zzz");
}

TEST_F(PostgresAuditTest, DamageOfLogsAndStreamsIsNamed) {
  const auto& thread = running_.thread_id;
  expect_found("UPDATE event_streams SET seq = seq + 1 WHERE aggregate_id = '" + thread + "'",
               "log-gap thread=" + thread);
  expect_found("UPDATE run_events SET seq = 999 WHERE run_id = '" + queued_.id + "'",
               "log-place thread=" + thread + " seq=999: RunCreated of " + queued_.id);
  expect_found("UPDATE run_events SET seq = 1 WHERE run_id = '" + queued_.id + "'",
               "log-place thread=" + thread + " seq=1: ");
  expect_found("UPDATE run_segments SET first_no = first_no + 1 WHERE run_id = '" + running_.id + "'",
               "stream-gap run=" + running_.id + " thread=" + thread +
                   " segment=1: the frame with number 1 comes where 0");
  expect_found("UPDATE run_segments SET count = 5 WHERE run_id = '" + queued_.id + "'",
               "segment-broken run=" + queued_.id + " thread=" + thread + " segment=0: 1 of its 5 frames");
  expect_found("UPDATE run_segments SET first_seq = 1 WHERE run_id = '" + done_.id + "'",
               "log-place thread=" + done_.thread_id + " seq=1: a frame of " + done_.id);
  expect_found(
      "INSERT INTO run_segments (run_id, first_no, count, first_seq, pending, data, cuts) "
      "SELECT run_id, 50, 1, 1, 0, data, cuts FROM run_segments WHERE run_id = '" +
          failed_.id + "' AND first_no = 0",
      "stream-order run=" + failed_.id + " thread=" + failed_.thread_id + " segment=50");
  expect_found("UPDATE run_segments SET run_id = '" + deleted_.id + "' WHERE run_id = '" + lost_.id + "'",
               "frames-left run=" + deleted_.id);
}

TEST_F(PostgresAuditTest, DamageOfLeasesIsNamed) {
  const auto ids = " run=" + running_.id + " thread=" + running_.thread_id;
  const auto owned = " WHERE owner = '" + running_.id + "'";
  expect_found("UPDATE leases SET lease_epoch = 5" + owned, "epoch-wrong" + ids + ": the lease has epoch 5");
  expect_found("UPDATE leases SET worker_id = 'other'" + owned,
               "lease-wrong" + ids + ": the lease is of the session other");
  expect_found("UPDATE leases SET owner = '" + queued_.id + "'" + owned,
               "lease-wrong run=" + queued_.id + " thread=" + queued_.thread_id +
                   ": there is a lease, and the run is queued");
  EXPECT_THAT(findings(), Contains(StartsWith("lease-missing" + ids)));
  expect_found("UPDATE leases SET thread_id = '" + left_ + "' WHERE owner = '" + lost_.id + "'",
               "lease-wrong owner=" + lost_.id + " thread=" + left_);
  expect_found(
      "UPDATE run_events SET event_type = 'RunStarted', event_version = 2, payload = "
      "'{\"session_id\":\"s\",\"worker\":\"w\",\"revision\":\"r\",\"epoch\":1,\"attempt\":1}' WHERE run_id = "
      "'" +
          queued_.id + "'",
      "runs-at-once run=" + queued_.id);
}

TEST_F(PostgresAuditTest, DamageOfCheckpointsIsNamed) {
  const auto of_thread = " WHERE thread_id = '" + done_.thread_id + "'";
  const auto place = " thread=" + done_.thread_id + " ns= checkpoint=c1: ";
  expect_found(
      "INSERT INTO checkpoint_values SELECT thread_id, checkpoint_ns, channel, 'v9', type, series, blob FROM "
      "checkpoint_values" +
          of_thread,
      "value-unreferenced thread=" + done_.thread_id + " ns= channel=messages version=v9");
  expect_found("UPDATE checkpoints SET has_next = 1" + of_thread,
               "checkpoint-column" + place + "its column has_next");
  expect_found("UPDATE checkpoints SET metadata_run_id = 'r'" + of_thread,
               "checkpoint-column" + place + "its column metadata_run_id");
  expect_found("UPDATE checkpoints SET run_id = '" + deleted_.id + "'" + of_thread,
               "checkpoint-left" + place);
  expect_found("INSERT INTO checkpoint_tasks VALUES ('" + left_ + "', '', 'c', 't', '{}')",
               "state-left thread=" + left_ + " table=checkpoint_tasks");
}

TEST_F(PostgresAuditTest, DamageOfPartsIsNamed) {
  const auto of_thread = "thread_id = '" + large_.thread_id + "'";
  const auto place = " thread=" + large_.thread_id + " ns= ";
  const auto series = [&](const std::string& kind) {
    return "(SELECT id FROM checkpoint_series WHERE kind = '" + kind + "' AND " + of_thread + ")";
  };
  expect_found("UPDATE checkpoint_values SET blob = '\\x80' WHERE version = 'c1' AND " + of_thread,
               "recipe-unreadable" + place + "channel=messages version=c1: ");
  expect_found(
      "INSERT INTO checkpoint_series_parts SELECT series, at + 1000000, size, data FROM "
      "checkpoint_series_parts WHERE series = " +
          series("blob"),
      "part-unreferenced" + place + "channel=messages series=");
  expect_found(
      "UPDATE checkpoint_series_parts SET size = size + 1 WHERE at = 0 AND series = " + series("blob"),
      "part-broken" + place + "channel=messages series=");
  expect_found("DELETE FROM checkpoint_series_parts WHERE series = " + series("json"),
               "part-missing" + place + "checkpoint=c1: the series ");
  EXPECT_THAT(findings(), Contains(StartsWith("part-missing thread=" + large_.thread_id +
                                              " run=" + large_.id + " segment=0")));
  expect_found("DELETE FROM checkpoint_series WHERE id = " + series("blob"),
               "part-missing" + place + "channel=messages version=c5: the series ");
  EXPECT_THAT(findings(), Contains(StartsWith("part-unreferenced series=")));
}

TEST_F(PostgresAuditTest, DamageOfIndexesIsNamed) {
  expect_found("DROP INDEX runs_in_progress", "file-damaged: the index runs_in_progress is missing");
}

}  // namespace
}  // namespace dg::app::testing
