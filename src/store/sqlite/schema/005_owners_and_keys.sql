-- Users own what they make: NULL is nobody's.
ALTER TABLE assistants ADD COLUMN owner TEXT;
ALTER TABLE threads ADD COLUMN owner TEXT;
ALTER TABLE runs ADD COLUMN owner TEXT;

-- Keys for the API. A secret is kept as its SHA-256.
CREATE TABLE api_keys (
  id TEXT NOT NULL PRIMARY KEY,
  project TEXT NOT NULL DEFAULT 'default',
  secret_hash TEXT NOT NULL,
  user_id TEXT NOT NULL,
  role TEXT NOT NULL,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,                  -- never, where it is NULL
  last_used_at INTEGER,                -- about when
  revoked_at INTEGER
) STRICT, WITHOUT ROWID;
