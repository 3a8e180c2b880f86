-- What a large export reaches, and which files were taken with another person's approval. Tables of their own: a
-- column more would change the digests of the rows that stand.

-- truth: by which rights the rows of an export request are read; id = the request's
CREATE TABLE export_reach (
  id TEXT PRIMARY KEY,
  -- JSON: every scope
  scopes_json TEXT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);

-- truth: a file that another person approved, not counted against the day; id = the export's
CREATE TABLE export_approved (
  id TEXT PRIMARY KEY,
  request_id TEXT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);

-- what an account took from a list on one day
CREATE INDEX data_export_taken ON data_export (actor, list_name, at);
