-- What people name and see: assistants, threads, runs, graphs and the memory store.
-- Documents are JSON text as they were sent; a `search` column holds what searches need of one as jsonb. Ids and
-- whatever is compared by ranges is sorted by bytes (COLLATE "C").
\set ON_ERROR_STOP on
BEGIN;

CREATE TABLE IF NOT EXISTS schema_migrations (
  version bigint PRIMARY KEY,
  name text NOT NULL,
  schema_number bigint NOT NULL,               -- of the schema that the file was a part of
  applied_at timestamptz NOT NULL DEFAULT now(),
  checksum text                                -- SHA-256 of the file, where `duragraph db migrate` applied it
);

CREATE TABLE IF NOT EXISTS assistants (
  id text COLLATE "C" PRIMARY KEY,
  project text NOT NULL DEFAULT 'default',
  graph_id text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  description text,
  config text NOT NULL,
  context text NOT NULL,
  metadata text NOT NULL,
  search jsonb NOT NULL,                       -- metadata
  version bigint NOT NULL,                     -- the one that is served
  newest_version bigint NOT NULL,
  owner text COLLATE "C",                      -- the user whom it belongs to; NULL: nobody's, and for all
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS assistants_search ON assistants USING gin (search jsonb_path_ops) WITH (fastupdate = off);

CREATE TABLE IF NOT EXISTS assistant_versions (
  assistant_id text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  graph_id text COLLATE "C" NOT NULL,
  name text NOT NULL,
  description text,
  config text NOT NULL,
  context text NOT NULL,
  metadata text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (assistant_id, version)
);

CREATE TABLE IF NOT EXISTS threads (
  id text COLLATE "C" PRIMARY KEY,
  project text NOT NULL DEFAULT 'default',
  metadata text NOT NULL,
  search jsonb NOT NULL,                       -- metadata
  config text NOT NULL,
  status text COLLATE "C" NOT NULL DEFAULT 'idle',
  error text,                                  -- class and message of the newest run's error
  error_message text,
  temporary boolean NOT NULL DEFAULT false,    -- made by a run without a thread; not listed
  owner text COLLATE "C",                      -- the user whom it belongs to; NULL: nobody's
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  state_updated_at timestamptz NOT NULL        -- when its newest root checkpoint was written
) WITH (fillfactor = 80);
CREATE INDEX IF NOT EXISTS threads_search ON threads USING gin (search jsonb_path_ops) WITH (fastupdate = off);
CREATE INDEX IF NOT EXISTS threads_updated ON threads (updated_at, id);
CREATE INDEX IF NOT EXISTS threads_of_owner ON threads (owner, updated_at, id) WHERE owner IS NOT NULL;

CREATE TABLE IF NOT EXISTS runs (
  id text COLLATE "C" PRIMARY KEY,
  project text NOT NULL DEFAULT 'default',
  thread_id text COLLATE "C" NOT NULL,
  assistant_id text COLLATE "C" NOT NULL,
  graph_id text COLLATE "C" NOT NULL,
  status text COLLATE "C" NOT NULL,
  kwargs text NOT NULL,                        -- the request
  metadata text NOT NULL,
  not_before timestamptz NOT NULL,
  attempt bigint NOT NULL,
  worker_id text COLLATE "C" NOT NULL,         -- the session that executes it
  revision text NOT NULL,
  cancel text NOT NULL,
  has_checkpoint boolean NOT NULL,
  error text,
  error_message text,
  resumed_by text COLLATE "C" NOT NULL,
  owner text COLLATE "C",                      -- its thread's
  resumable boolean NOT NULL,                  -- kwargs.stream_resumable
  has_frames boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS runs_of_thread ON runs (thread_id, id);
CREATE INDEX IF NOT EXISTS runs_of_owner ON runs (owner, id) WHERE owner IS NOT NULL;
CREATE INDEX IF NOT EXISTS runs_open ON runs (thread_id, id)
  WHERE status IN ('queued', 'in_progress', 'requires_action');
CREATE INDEX IF NOT EXISTS runs_queued ON runs (graph_id, not_before, id) WHERE status = 'queued';
CREATE INDEX IF NOT EXISTS runs_due ON runs (not_before) WHERE status = 'queued';
CREATE INDEX IF NOT EXISTS runs_framed ON runs (resumable, updated_at)
  WHERE has_frames AND status IN ('completed', 'failed', 'cancelled', 'timed_out');

CREATE TABLE IF NOT EXISTS graphs (
  graph_id text COLLATE "C" PRIMARY KEY,
  description text NOT NULL,
  error text NOT NULL,
  declared boolean NOT NULL,                   -- a langgraph.json names it, or did once
  updated_at timestamptz NOT NULL
);

CREATE TABLE IF NOT EXISTS store_items (
  project text NOT NULL DEFAULT 'default',
  namespace_key text COLLATE "C" NOT NULL,     -- the labels joined by 0x1f
  key text COLLATE "C" NOT NULL,
  namespace text NOT NULL,                     -- the labels as a JSON list
  value text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (project, namespace_key, key)
);

-- Keys for the API. A secret is kept as its SHA-256.
CREATE TABLE IF NOT EXISTS api_keys (
  id text COLLATE "C" PRIMARY KEY,
  project text NOT NULL DEFAULT 'default',
  secret_hash text NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  role text NOT NULL,
  name text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz,                      -- NULL: never
  last_used_at timestamptz,                    -- about when
  revoked_at timestamptz
);

INSERT INTO schema_migrations (version, name, schema_number) VALUES (1, '001_init.sql', 10) ON CONFLICT DO NOTHING;
COMMIT;
