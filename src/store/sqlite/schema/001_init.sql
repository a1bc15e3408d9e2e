-- Times are microseconds since 1970 in UTC; documents are JSON text; ids are text. One row of
-- `heads` is the lock and the counters of an aggregate; it stays when the aggregate is erased.
CREATE TABLE heads (
  aggregate_id TEXT NOT NULL,
  type TEXT NOT NULL,
  version INTEGER NOT NULL,           -- of its newest event
  seq INTEGER NOT NULL DEFAULT 0,     -- a thread's: the last place taken in its log
  turn INTEGER NOT NULL DEFAULT 0,    -- a thread's: how many events its runs had, and how often it was erased
  erased INTEGER NOT NULL DEFAULT 0,  -- its rows are gone; the same id may be created again
  pack INTEGER NOT NULL DEFAULT 0,    -- a run's: the pack that holds its events and its request; 0: they are rows
  PRIMARY KEY (aggregate_id, type)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  position INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  aggregate TEXT NOT NULL,
  aggregate_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  type TEXT NOT NULL,
  payload TEXT NOT NULL,
  metadata TEXT NOT NULL,
  thread_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  UNIQUE (aggregate_id, aggregate, version)
) STRICT;

CREATE TABLE assistants (
  id TEXT NOT NULL PRIMARY KEY,
  project TEXT NOT NULL DEFAULT 'default',
  graph_id TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT,
  config TEXT NOT NULL,
  context TEXT NOT NULL,
  metadata TEXT NOT NULL,
  number INTEGER NOT NULL,
  newest_number INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE assistant_versions (
  assistant_id TEXT NOT NULL,
  number INTEGER NOT NULL,
  graph_id TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT,
  config TEXT NOT NULL,
  context TEXT NOT NULL,
  metadata TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (assistant_id, number)
) STRICT;

CREATE TABLE threads (
  id TEXT NOT NULL PRIMARY KEY,
  project TEXT NOT NULL DEFAULT 'default',
  metadata TEXT NOT NULL,
  config TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'idle',
  error TEXT,                          -- class and message of the newest run's error
  error_message TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  state_updated_at INTEGER NOT NULL    -- when its newest root checkpoint was written
) STRICT;
CREATE INDEX threads_updated ON threads (updated_at, id);

CREATE TABLE runs (
  id TEXT NOT NULL PRIMARY KEY,
  project TEXT NOT NULL DEFAULT 'default',
  thread_id TEXT NOT NULL,
  assistant_id TEXT NOT NULL,
  graph_id TEXT NOT NULL,
  state TEXT NOT NULL,
  metadata TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  session_id TEXT NOT NULL,
  revision TEXT NOT NULL,
  cancel TEXT NOT NULL,
  has_checkpoint INTEGER NOT NULL,
  error TEXT,
  error_message TEXT,
  resumed_by TEXT NOT NULL,
  resumable INTEGER NOT NULL,          -- request.stream_resumable
  has_frames INTEGER NOT NULL DEFAULT 0,
  packed INTEGER NOT NULL DEFAULT 0    -- its request and its events are in a pack
) STRICT;
CREATE INDEX runs_of_thread ON runs (thread_id, id);
CREATE INDEX runs_unpacked ON runs (thread_id, id) WHERE packed = 0;
CREATE INDEX runs_open ON runs (thread_id, id) WHERE state IN ('queued', 'in_progress', 'requires_action');
-- The last guard of "one run at a time on a thread".
CREATE UNIQUE INDEX runs_in_progress ON runs (thread_id) WHERE state = 'in_progress' AND thread_id <> '';
CREATE INDEX runs_queued ON runs (id) WHERE state = 'queued';
CREATE INDEX runs_due ON runs (not_before) WHERE state = 'queued';
CREATE INDEX runs_framed ON runs (resumable, updated_at)
  WHERE has_frames = 1 AND state IN ('completed', 'failed', 'cancelled', 'timed_out');

-- The requests of runs, which are large beside the rest of them and go into packs.
CREATE TABLE requests (
  run_id TEXT NOT NULL PRIMARY KEY,
  request TEXT NOT NULL
) STRICT;

CREATE TABLE leases (
  owner TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  thread_id TEXT NOT NULL UNIQUE,
  epoch INTEGER NOT NULL,
  session_id TEXT NOT NULL,
  applied_n INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
  thread_id TEXT NOT NULL,
  ns TEXT NOT NULL,
  checkpoint_id TEXT NOT NULL,
  parent_id TEXT NOT NULL,
  run_id TEXT NOT NULL,                -- its writer
  metadata_run_id TEXT NOT NULL,       -- metadata.run_id
  has_next INTEGER NOT NULL,           -- projection.next has unvisited nodes
  metadata TEXT NOT NULL,
  channel_versions TEXT NOT NULL,
  type TEXT NOT NULL,
  data BLOB NOT NULL,
  projection TEXT NOT NULL,            -- large channels are cut out of its values
  cuts BLOB NOT NULL,                  -- where they are, or empty
  UNIQUE (thread_id, ns, checkpoint_id)
) STRICT;
CREATE INDEX checkpoints_of_run ON checkpoints (run_id) WHERE run_id <> '';
CREATE INDEX checkpoints_of_metadata_run ON checkpoints (metadata_run_id) WHERE metadata_run_id <> '';

CREATE TABLE checkpoint_values (
  thread_id TEXT NOT NULL,
  ns TEXT NOT NULL,
  channel TEXT NOT NULL,
  version TEXT NOT NULL,
  type TEXT NOT NULL,
  series INTEGER NOT NULL,             -- 0: data is the value itself; else a recipe over that series' log
  data BLOB NOT NULL,
  UNIQUE (thread_id, ns, channel, version)
) STRICT;

-- The large values that a channel takes in turn. What is new in each is appended to one log of bytes, and a
-- value is a recipe: ranges of that log, in order.
CREATE TABLE series (
  id INTEGER PRIMARY KEY,
  thread_id TEXT NOT NULL,
  ns TEXT NOT NULL,
  channel TEXT NOT NULL,
  kind TEXT NOT NULL,                  -- blob: of checkpoint_values; json: of projections and frames
  size INTEGER NOT NULL DEFAULT 0,     -- of the log
  pending INTEGER NOT NULL DEFAULT 0,  -- parts that were appended since some were merged
  loose INTEGER NOT NULL DEFAULT 0,    -- named by frames alone: 0 nothing, 1 the newest value, 2 earlier ones
  newest BLOB NOT NULL DEFAULT x'',    -- the recipe of the value that the next one is compared with
  UNIQUE (thread_id, ns, channel, kind)
) STRICT;

CREATE TABLE series_parts (
  series INTEGER NOT NULL,
  at INTEGER NOT NULL,                 -- the place of its first byte in the log
  size INTEGER NOT NULL,               -- unpacked
  data BLOB NOT NULL,                  -- packed
  UNIQUE (series, at)
) STRICT;

CREATE TABLE checkpoint_writes (
  thread_id TEXT NOT NULL,
  ns TEXT NOT NULL,
  checkpoint_id TEXT NOT NULL,
  task_id TEXT NOT NULL,
  idx INTEGER NOT NULL,
  task_path TEXT NOT NULL,
  channel TEXT NOT NULL,
  type TEXT NOT NULL,
  data BLOB NOT NULL,
  UNIQUE (thread_id, ns, checkpoint_id, task_id, idx)
) STRICT;

-- What the writes of a task change in its checkpoint's projection. May come before the checkpoint.
CREATE TABLE checkpoint_tasks (
  thread_id TEXT NOT NULL,
  ns TEXT NOT NULL,
  checkpoint_id TEXT NOT NULL,
  task_id TEXT NOT NULL,
  patch TEXT NOT NULL,
  UNIQUE (thread_id, ns, checkpoint_id, task_id)
) STRICT;

-- A run that goes on from a pause writes to tasks of the checkpoint where another run stopped. Such a task as it
-- was before the run's first writes to it: the run's deletion takes them back.
CREATE TABLE checkpoint_undo (
  id INTEGER PRIMARY KEY,
  thread_id TEXT NOT NULL,
  ns TEXT NOT NULL,
  checkpoint_id TEXT NOT NULL,
  task_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  before BLOB NOT NULL,                -- its writes and its patch (store/pack)
  UNIQUE (thread_id, ns, checkpoint_id, task_id, run_id)
) STRICT;
CREATE INDEX checkpoint_undo_of_run ON checkpoint_undo (run_id);

-- The rows of finished work of a thread, which the tables of checkpoints, events and requests then lack
-- (store/pack). What a checkpoint that is a row names is in rows, and so is a thread's newest root checkpoint.
CREATE TABLE packs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never that of an earlier pack, which something may still name
  thread_id TEXT NOT NULL,
  first_checkpoint_id TEXT NOT NULL,   -- of its checkpoints; empty where it has none
  last_checkpoint_id TEXT NOT NULL,
  needs BLOB NOT NULL,                 -- the bytes of series that it names
  data BLOB NOT NULL
) STRICT;
CREATE INDEX packs_of_thread ON packs (thread_id, last_checkpoint_id, first_checkpoint_id);

-- Hashes of the namespaces of its checkpoints, of the runs that wrote them or are named by their metadata, and of
-- the versions of its values.
CREATE TABLE pack_keys (
  key INTEGER NOT NULL,
  pack INTEGER NOT NULL,
  PRIMARY KEY (key, pack)
) STRICT, WITHOUT ROWID;

-- Stream frames of a run: one row per commit, merged into larger ones in time.
CREATE TABLE segments (
  run_id TEXT NOT NULL,
  first_no INTEGER NOT NULL,           -- the first frame's number among the run's
  count INTEGER NOT NULL,
  first_seq INTEGER NOT NULL,          -- the first frame's place in the thread's log
  pending INTEGER NOT NULL,            -- 0 when merged, else how many unmerged rows end with this one
  data BLOB NOT NULL,
  cuts BLOB NOT NULL,                  -- large channels that are cut out of its values frames, or empty
  UNIQUE (run_id, first_no)
) STRICT;

CREATE TABLE items (
  project TEXT NOT NULL DEFAULT 'default',
  ns_key TEXT NOT NULL,                -- the labels joined by 0x1f
  key TEXT NOT NULL,
  ns TEXT NOT NULL,                    -- the labels as a JSON list
  value TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (project, ns_key, key)
) STRICT;

CREATE TABLE sessions (
  id TEXT NOT NULL PRIMARY KEY,
  secret_hash TEXT NOT NULL,
  worker TEXT NOT NULL,
  revision TEXT NOT NULL,
  slots INTEGER NOT NULL,
  supervised INTEGER NOT NULL,
  graphs TEXT NOT NULL,
  connected_at INTEGER NOT NULL
) STRICT;

CREATE TABLE graphs (
  graph_id TEXT NOT NULL PRIMARY KEY,
  description TEXT NOT NULL,
  error TEXT NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
