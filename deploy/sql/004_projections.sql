-- Checkpoints of graphs: what workers wrote, and its projection as JSON, so that states are read without a worker.
\set ON_ERROR_STOP on
BEGIN;

CREATE TABLE IF NOT EXISTS checkpoints (
  thread_id text COLLATE "C" NOT NULL,
  checkpoint_ns text COLLATE "C" NOT NULL,
  checkpoint_id text COLLATE "C" NOT NULL,
  parent_checkpoint_id text COLLATE "C" NOT NULL,
  run_id text COLLATE "C" NOT NULL,            -- its writer
  metadata_run_id text COLLATE "C" NOT NULL,   -- metadata.run_id
  has_next bigint NOT NULL,                    -- 1: projection.next has unvisited nodes
  metadata text NOT NULL,
  channel_versions text NOT NULL,
  type text NOT NULL,
  checkpoint bytea NOT NULL,
  projection text NOT NULL,                    -- large channels are cut out of its values
  cuts bytea NOT NULL,                         -- where they are, or empty
  PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id)
);
CREATE INDEX IF NOT EXISTS checkpoints_of_run ON checkpoints (run_id) WHERE run_id <> '';
CREATE INDEX IF NOT EXISTS checkpoints_of_metadata_run ON checkpoints (metadata_run_id) WHERE metadata_run_id <> '';

CREATE TABLE IF NOT EXISTS checkpoint_values (
  thread_id text COLLATE "C" NOT NULL,
  checkpoint_ns text COLLATE "C" NOT NULL,
  channel text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  type text NOT NULL,
  series bigint NOT NULL,                      -- 0: blob is the value itself; else a recipe over that series' log
  blob bytea NOT NULL,
  PRIMARY KEY (thread_id, checkpoint_ns, channel, version)
);

-- The large values that a channel takes in turn. What is new in each is appended to one log of bytes, and a value is
-- a recipe: ranges of that log, in order.
CREATE SEQUENCE IF NOT EXISTS checkpoint_series_id INCREMENT BY 100;  -- each taker has a block of ids
CREATE TABLE IF NOT EXISTS checkpoint_series (
  id bigint PRIMARY KEY,
  thread_id text COLLATE "C" NOT NULL,
  checkpoint_ns text COLLATE "C" NOT NULL,
  channel text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,              -- blob: of checkpoint_values; json: of projections and frames
  size bigint NOT NULL,                        -- of the log
  pending bigint NOT NULL,                     -- parts that were appended since some were merged
  loose bigint NOT NULL,                       -- named by frames alone: 0 nothing, 1 the newest value, 2 earlier ones
  newest bytea NOT NULL,                       -- the recipe of the value that the next one is compared with
  UNIQUE (thread_id, checkpoint_ns, channel, kind)
) WITH (fillfactor = 70);

CREATE TABLE IF NOT EXISTS checkpoint_series_parts (
  series bigint NOT NULL,
  at bigint NOT NULL,                          -- the place of its first byte in the log
  size bigint NOT NULL,                        -- unpacked
  data bytea NOT NULL,                         -- packed
  PRIMARY KEY (series, at)
);
ALTER TABLE checkpoint_series_parts ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE IF NOT EXISTS checkpoint_writes (
  thread_id text COLLATE "C" NOT NULL,
  checkpoint_ns text COLLATE "C" NOT NULL,
  checkpoint_id text COLLATE "C" NOT NULL,
  task_id text COLLATE "C" NOT NULL,
  idx bigint NOT NULL,
  task_path text COLLATE "C" NOT NULL,
  channel text COLLATE "C" NOT NULL,
  type text NOT NULL,
  blob bytea NOT NULL,
  PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
);

-- What the writes of a task change in its checkpoint's projection. May come before the checkpoint.
CREATE TABLE IF NOT EXISTS checkpoint_tasks (
  thread_id text COLLATE "C" NOT NULL,
  checkpoint_ns text COLLATE "C" NOT NULL,
  checkpoint_id text COLLATE "C" NOT NULL,
  task_id text COLLATE "C" NOT NULL,
  patch text NOT NULL,
  PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id)
);

-- A run that goes on from a pause writes to tasks of the checkpoint where another run stopped. Such a task as it was
-- before the run's first writes to it: the run's deletion takes them back.
CREATE TABLE IF NOT EXISTS checkpoint_undo (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  thread_id text COLLATE "C" NOT NULL,
  checkpoint_ns text COLLATE "C" NOT NULL,
  checkpoint_id text COLLATE "C" NOT NULL,
  task_id text COLLATE "C" NOT NULL,
  run_id text COLLATE "C" NOT NULL,
  before bytea NOT NULL,                       -- its writes and its patch, packed
  UNIQUE (thread_id, checkpoint_ns, checkpoint_id, task_id, run_id)
);
CREATE INDEX IF NOT EXISTS checkpoint_undo_of_run ON checkpoint_undo (run_id);

INSERT INTO schema_migrations (version, name, schema_number) VALUES (4, '004_projections.sql', 10) ON CONFLICT DO NOTHING;
COMMIT;
