-- Queued runs are claimed in the order in which they became due.
DROP INDEX runs_queued;
DROP INDEX runs_due;
CREATE INDEX runs_due ON runs (not_before, id) WHERE state = 'queued';
