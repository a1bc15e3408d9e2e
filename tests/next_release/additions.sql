-- One row for each run, whichever release makes and deletes it.
CREATE TABLE IF NOT EXISTS run_births (
  run_id text COLLATE "C" PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now()
);
CREATE OR REPLACE FUNCTION duragraph_note_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO run_births (run_id) VALUES (NEW.id);
  ELSE
    DELETE FROM run_births WHERE run_id = OLD.id;
  END IF;
  RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER runs_noted AFTER INSERT OR DELETE ON runs
  FOR EACH ROW EXECUTE FUNCTION duragraph_note_run();
CREATE INDEX IF NOT EXISTS run_births_at ON run_births (at);
