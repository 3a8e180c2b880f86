-- A role that only two may give: asked for by one, confirmed or refused by another before it expires.
-- state: waiting, confirmed, refused, withdrawn
CREATE TABLE grant_request (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  role TEXT NOT NULL,
  areas TEXT NOT NULL,
  agencies TEXT NOT NULL,
  item_lines TEXT NOT NULL,
  level TEXT NOT NULL,
  valid_from TEXT,
  valid_to TEXT,
  reason TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'confirmed', 'refused', 'withdrawn')),
  requested_by TEXT NOT NULL,
  requested_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  decided_by TEXT,
  decided_at BIGINT NOT NULL,
  decided_why TEXT,
  grant_id TEXT,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL,
  CHECK (decided_by IS NULL OR state = 'withdrawn' OR decided_by <> requested_by)
);
CREATE INDEX grant_request_state ON grant_request (state, id);
CREATE INDEX grant_request_account ON grant_request (account_id, state);

-- Passwords an account had before, only as hashes: the newest few may not come again.
CREATE TABLE password_past (
  account_id TEXT NOT NULL,
  replaced_at BIGINT NOT NULL,
  password_hash TEXT NOT NULL,
  PRIMARY KEY (account_id, replaced_at)
);

-- A personal value shown in clear: who, of what, which field. Why stands in the act journal. Counted
-- by day against the quota.
CREATE TABLE field_reveal (
  id TEXT PRIMARY KEY,
  actor TEXT NOT NULL,
  day TEXT NOT NULL,
  object TEXT NOT NULL,
  field TEXT NOT NULL,
  at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE INDEX field_reveal_day ON field_reveal (actor, day);

-- An export so large that another person must approve it. state: waiting, approved, refused, used
CREATE TABLE export_request (
  id TEXT PRIMARY KEY,
  list_name TEXT NOT NULL,
  title TEXT NOT NULL,
  columns_json TEXT NOT NULL,
  filters_json TEXT NOT NULL,
  request_sm3 TEXT NOT NULL,
  row_count BIGINT NOT NULL,
  reason TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'approved', 'refused', 'used')),
  requested_by TEXT NOT NULL,
  requested_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  decided_by TEXT,
  decided_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL,
  CHECK (decided_by IS NULL OR decided_by <> requested_by)
);
CREATE INDEX export_request_state ON export_request (state, id);
