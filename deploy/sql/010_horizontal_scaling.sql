-- What instances need to share one database: versions, the epochs of owners, leases and workers' sessions.
\set ON_ERROR_STOP on
BEGIN;

ALTER TABLE runs ADD COLUMN IF NOT EXISTS version bigint NOT NULL DEFAULT 0;      -- of the run's newest event
ALTER TABLE runs ADD COLUMN IF NOT EXISTS lease_epoch bigint NOT NULL DEFAULT 0;

-- The last guard of "one run at a time on a thread".
CREATE UNIQUE INDEX IF NOT EXISTS runs_in_progress ON runs (thread_id) WHERE status = 'in_progress' AND thread_id <> '';

-- Who may write for a run or for an operation on a thread.
CREATE TABLE IF NOT EXISTS leases (
  owner text COLLATE "C" PRIMARY KEY,          -- the run's or operation's id
  kind text NOT NULL,
  thread_id text COLLATE "C" NOT NULL UNIQUE,
  lease_epoch bigint NOT NULL,
  worker_id text COLLATE "C" NOT NULL,         -- a session; empty: the server itself
  applied_n bigint NOT NULL                    -- the last numbered message that is durable
) WITH (fillfactor = 50);

-- Workers' sessions. Liveness, not history.
CREATE TABLE IF NOT EXISTS workers (
  id text COLLATE "C" PRIMARY KEY,
  secret_hash text NOT NULL,
  worker text NOT NULL,                        -- JSON: name, process, language, versions
  revision text NOT NULL,
  slots bigint NOT NULL,
  supervised boolean NOT NULL,
  graphs text NOT NULL,                        -- JSON list, as registered
  connected_at timestamptz NOT NULL,
  draining boolean NOT NULL DEFAULT false,
  instance_id text NOT NULL DEFAULT '',        -- to which it is connected; empty: to none
  connection bigint NOT NULL DEFAULT 0,        -- grows with each of its connections
  ended text NOT NULL DEFAULT '',              -- why it is over, until its leases were taken away
  beats bigint NOT NULL DEFAULT 0              -- grows with each of its heartbeats
) WITH (fillfactor = 50);

-- What all instances must have alike, as a keyed fingerprint that does not give it away.
CREATE TABLE IF NOT EXISTS shared_secrets (
  name text COLLATE "C" PRIMARY KEY,           -- of the setting
  fingerprint text NOT NULL
);

INSERT INTO schema_migrations (version, name, schema_number) VALUES (10, '010_horizontal_scaling.sql', 10) ON CONFLICT DO NOTHING;
COMMIT;
