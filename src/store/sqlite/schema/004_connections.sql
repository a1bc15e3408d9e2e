-- Where a worker is connected, and whether its session is over.
ALTER TABLE sessions ADD COLUMN draining INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN instance_id TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN connection INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN ended TEXT NOT NULL DEFAULT '';
