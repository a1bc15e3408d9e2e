-- Made by a run without a thread, and deleted some time after it: not listed.
ALTER TABLE threads ADD COLUMN temporary INTEGER NOT NULL DEFAULT 0;
