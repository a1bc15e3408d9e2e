-- What NATS is still to be told. The outbox holds no events, but which of them: it may be lost, and what NATS has may
-- be, since both follow from the events.
\set ON_ERROR_STOP on
BEGIN;

-- One row for each aggregate of a transaction. Rows of one shard are published in order by whoever has locked the
-- shard's row, and then deleted.
CREATE TABLE IF NOT EXISTS outbox (
  shard bigint NOT NULL,                       -- by the aggregate's id, of 64
  id bigint GENERATED ALWAYS AS IDENTITY,      -- of one aggregate in the order of its events: its head was locked
  aggregate_type text COLLATE "C" NOT NULL,
  aggregate_id text COLLATE "C" NOT NULL,
  first_version bigint NOT NULL,               -- of its events, to the last one
  last_version bigint NOT NULL,
  PRIMARY KEY (shard, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

CREATE TABLE IF NOT EXISTS outbox_shards (
  shard bigint PRIMARY KEY
);
INSERT INTO outbox_shards (shard) SELECT generate_series(0, 63) ON CONFLICT DO NOTHING;

-- What is known of the stream in NATS, and how far it has been filled again.
CREATE TABLE IF NOT EXISTS outbox_state (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  scope text NOT NULL DEFAULT substr(replace(gen_random_uuid()::text, '-', ''), 1, 16),  -- in subjects: this database
  stream text NOT NULL DEFAULT '',             -- when NATS made the stream that is filled; another one is filled anew
  last_sequence bigint NOT NULL DEFAULT 0,     -- of its messages; where NATS has fewer, it has lost some
  refill_since timestamptz,                    -- events from then on are published again; null: all were
  refill_table text NOT NULL DEFAULT '',       -- how far: the table, and the event in the order of its key
  refill_id text COLLATE "C" NOT NULL DEFAULT '',
  refill_type text COLLATE "C" NOT NULL DEFAULT '',
  refill_version bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
INSERT INTO outbox_state DEFAULT VALUES ON CONFLICT DO NOTHING;

INSERT INTO schema_migrations (version, name, schema_number) VALUES (3, '003_outbox.sql', 10) ON CONFLICT DO NOTHING;
COMMIT;
