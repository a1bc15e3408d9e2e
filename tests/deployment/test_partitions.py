"""Partitions of runs' events and frames: the leader drops those that are old and empty."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import pytest

from postgres import SCHEMA_FILES, Database
from processes import until
from test_audit import Server

# One for all that is older than a time long ago, and then one for each span of time until today's.
OLD = """
DO $$
DECLARE
  child text;
BEGIN
  FOR child IN SELECT inhrelid::regclass::text FROM pg_inherits
    WHERE inhparent IN ('run_events'::regclass, 'run_segments'::regclass) LOOP
    EXECUTE 'DROP TABLE ' || child;
  END LOOP;
  FOREACH child IN ARRAY ARRAY['run_events', 'run_segments'] LOOP
    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (MINVALUE) TO (%L)', child || '_p720', child,
                   duragraph_first_id(to_timestamp(721 * 28 * 86400)));
  END LOOP;
END $$;
SELECT duragraph_ensure_partitions(now() + interval '56 days');
INSERT INTO run_events (event_id, run_id, event_version, event_type, payload, metadata, thread_id, seq, occurred_at)
  VALUES ('e', duragraph_first_id(to_timestamp(725 * 28 * 86400)) || '-7000-8000-000000000000', 1, 'RunDeleted', '{}',
          '{}', '', 0, now());
"""


@pytest.fixture
def aged(database: Database) -> Iterator[Database]:
    """A database that is years old and was hardly used."""
    for file in SCHEMA_FILES:
        database.apply(file)
    database.run(OLD)
    yield database


def partitions(database: Database, table: str) -> list[str]:
    return database.run(
        f"SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = '{table}'::regclass ORDER BY 1"
    ).split()


def dropped(server: Server) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("duragraph_partitions_dropped_total ")))


def test_what_is_old_and_empty_is_dropped(aged: Database) -> None:
    assert min(len(partitions(aged, table)) for table in ("run_events", "run_segments")) > 10
    today = int(aged.run("SELECT floor(extract(epoch FROM now()) / (28 * 86400))"))
    # The one before today's may be over for less than a day.
    recent = {f"_p{period}" for period in range(today - 1, today + 4)}

    def left(table: str) -> set[str]:
        return {name.removeprefix(table) for name in partitions(aged, table)} - recent

    server = Server(aged)
    try:
        until(lambda: not left("run_segments"), "frames without old partitions")
        until(lambda: left("run_events") == {"_p725"}, "events with the one old partition that holds any")
        until(lambda: dropped(server) > 20, "their count")
    finally:
        server.stop()
