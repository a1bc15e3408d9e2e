-- Events, and the streams of frames that clients follow. Whatever belongs to runs is partitioned by the run's id,
-- whose head is its time of making: a partition is a span of time, and goes as a whole when it has become old.
\set ON_ERROR_STOP on
BEGIN;

-- One row is the lock and the counters of an aggregate; it stays when the aggregate is erased.
CREATE TABLE IF NOT EXISTS event_streams (
  aggregate_id text COLLATE "C" NOT NULL,
  aggregate_type text COLLATE "C" NOT NULL,
  version bigint NOT NULL DEFAULT 0,           -- of its newest event
  seq bigint NOT NULL DEFAULT 0,               -- a thread's: the last place taken in its log
  turn bigint NOT NULL DEFAULT 0,              -- a thread's: how many events its runs had, and how often it was erased
  erased boolean NOT NULL DEFAULT false,       -- its rows are gone; the same id may be created again
  PRIMARY KEY (aggregate_id, aggregate_type)
) WITH (fillfactor = 60);

-- Unique, but not in the order of commits.
CREATE SEQUENCE IF NOT EXISTS event_position CACHE 64;

-- Of assistants and threads.
CREATE TABLE IF NOT EXISTS events (
  id bigint NOT NULL DEFAULT nextval('event_position'),
  event_id text NOT NULL,
  aggregate_type text COLLATE "C" NOT NULL,
  aggregate_id text COLLATE "C" NOT NULL,
  event_version bigint NOT NULL,
  event_type text NOT NULL,
  payload text NOT NULL,
  metadata text NOT NULL,
  thread_id text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  occurred_at timestamptz NOT NULL,
  PRIMARY KEY (aggregate_id, aggregate_type, event_version)
);

CREATE TABLE IF NOT EXISTS run_events (
  id bigint NOT NULL DEFAULT nextval('event_position'),
  event_id text NOT NULL,
  run_id text COLLATE "C" NOT NULL,
  event_version bigint NOT NULL,
  event_type text NOT NULL,
  payload text NOT NULL,
  metadata text NOT NULL,
  thread_id text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  occurred_at timestamptz NOT NULL,
  PRIMARY KEY (run_id, event_version)
) PARTITION BY RANGE (run_id);

-- Stream frames of a run: one row per commit, merged later.
CREATE TABLE IF NOT EXISTS run_segments (
  run_id text COLLATE "C" NOT NULL,
  first_no bigint NOT NULL,                    -- the first frame's number among the run's
  count bigint NOT NULL,
  first_seq bigint NOT NULL,                   -- the first frame's place in the thread's log
  pending bigint NOT NULL,                     -- 0 when merged, else how many unmerged rows end with this one
  data bytea NOT NULL,
  cuts bytea NOT NULL,                         -- large channels that are cut out of its values frames, or empty
  PRIMARY KEY (run_id, first_no)
) PARTITION BY RANGE (run_id);

-- The smallest text that a version 7 UUID made at that time may have.
CREATE OR REPLACE FUNCTION duragraph_first_id(at timestamptz) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT substr(hex, 1, 8) || '-' || substr(hex, 9, 4)
  FROM (SELECT lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') AS hex) AS digits
$$;

-- Makes partitions of 28 days each for runs that are made until then. The first one reaches back without a bound.
-- They are filled in by attaching, which does not hold up who reads and writes.
CREATE OR REPLACE FUNCTION duragraph_ensure_partitions(until timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  span CONSTANT bigint := 28 * 86400;
  today CONSTANT bigint := floor(extract(epoch FROM now()) / span);
  period bigint;
  parent text;
  child text;
  low text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('duragraph_ensure_partitions'));
  FOREACH parent IN ARRAY ARRAY['run_events', 'run_segments'] LOOP
    SELECT max(substr(c.relname, length(parent) + 3)::bigint) INTO period
      FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = parent::regclass;
    low := CASE WHEN period IS NULL THEN 'MINVALUE'
                ELSE quote_literal(duragraph_first_id(to_timestamp((period + 1) * span))) END;
    period := coalesce(period + 1, today);
    WHILE period * span <= extract(epoch FROM until) LOOP
      child := parent || '_p' || period;
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', child, parent);
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%L)', parent, child, low,
                     duragraph_first_id(to_timestamp((period + 1) * span)));
      low := quote_literal(duragraph_first_id(to_timestamp((period + 1) * span)));
      period := period + 1;
    END LOOP;
  END LOOP;
END
$$;
SELECT duragraph_ensure_partitions(now() + interval '56 days');

-- Makes partitions where old ones were dropped, one for all that are missing in a row: something came late.
CREATE OR REPLACE FUNCTION duragraph_fill_partitions() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  span CONSTANT bigint := 28 * 86400;
  parent text;
  reached text;                                -- up to where there are partitions
  child text;
  part record;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('duragraph_ensure_partitions'));
  FOREACH parent IN ARRAY ARRAY['run_events', 'run_segments'] LOOP
    reached := 'MINVALUE';
    FOR part IN
      SELECT substr(c.relname, length(parent) + 3)::bigint AS period,
             substring(pg_get_expr(c.relpartbound, c.oid) FROM '\((.*)\) TO') AS low
      FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = parent::regclass ORDER BY 1
    LOOP
      IF part.low <> reached THEN
        child := parent || '_p' || (part.period - 1);
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', child, parent);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', parent, child, reached,
                       part.low);
      END IF;
      reached := quote_literal(duragraph_first_id(to_timestamp((part.period + 1) * span)));
    END LOOP;
  END LOOP;
END
$$;

-- Partitions whose time was over by then.
CREATE OR REPLACE FUNCTION duragraph_old_partitions(by_then timestamptz)
RETURNS TABLE (parent text, child text, bytes bigint) LANGUAGE sql STABLE AS $$
  SELECT p.relname::text, c.relname::text, pg_relation_size(c.oid)
  FROM pg_inherits AS i JOIN pg_class AS p ON p.oid = i.inhparent JOIN pg_class AS c ON c.oid = i.inhrelid
  WHERE i.inhparent IN ('run_events'::regclass, 'run_segments'::regclass)
    AND to_timestamp((substring(c.relname FROM '_p(\d+)$')::bigint + 1) * 28 * 86400) <= by_then
  ORDER BY c.relname
$$;

-- Drops the partition if it is empty. That nothing comes into it meanwhile, and that the table above forgets it,
-- takes that table's lock, for which everybody waits who comes later: so this waits for a moment only, and fails
-- (55P03) where somebody reads or writes for longer.
CREATE OR REPLACE FUNCTION duragraph_drop_partition(parent text, child text) RETURNS boolean LANGUAGE plpgsql
SET lock_timeout = '100ms' AS $$
DECLARE
  holds_any boolean;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('duragraph_ensure_partitions'));
  EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', parent);
  -- It is looked through under the lock, so it must be short.
  SELECT pg_relation_size(c.oid) > 1048576 INTO holds_any FROM pg_inherits AS i JOIN pg_class AS c
    ON c.oid = i.inhrelid WHERE i.inhparent = parent::regclass AND c.relname = child;
  IF holds_any IS NULL OR holds_any THEN
    RETURN false;
  END IF;
  EXECUTE format('SELECT EXISTS (SELECT FROM %I)', child) INTO holds_any;
  IF NOT holds_any THEN
    EXECUTE format('DROP TABLE %I', child);
  END IF;
  RETURN NOT holds_any;
END
$$;

INSERT INTO schema_migrations (version, name, schema_number) VALUES (2, '002_event_store.sql', 10) ON CONFLICT DO NOTHING;
COMMIT;
