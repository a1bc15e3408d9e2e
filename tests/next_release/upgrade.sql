-- A column, an index and a table on what every run writes.
\set ON_ERROR_STOP on
DROP INDEX CONCURRENTLY IF EXISTS runs_of_assistant;
CREATE INDEX CONCURRENTLY runs_of_assistant ON runs (assistant_id, id);
BEGIN;

ALTER TABLE threads ADD COLUMN IF NOT EXISTS note text NOT NULL DEFAULT 'none';

@additions@
INSERT INTO run_births (run_id) SELECT id FROM runs ON CONFLICT DO NOTHING;

INSERT INTO schema_migrations (version, name, schema_number) VALUES (@next_number@, '@next_name@', @next_number@) ON CONFLICT DO NOTHING;
COMMIT;
