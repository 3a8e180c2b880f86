-- A lock that doubles: how often in a row, and when it was last tried.
ALTER TABLE login_bucket ADD COLUMN locks BIGINT NOT NULL DEFAULT 0;
ALTER TABLE login_bucket ADD COLUMN last_at BIGINT NOT NULL DEFAULT 0;

-- Failed tries to sign in, counted by day, account and network source, so that a storm adds to a number and not to
-- the disk. account_id is empty for a login nobody has; source is a hash; kind: password, code, enrolment.
CREATE TABLE login_failure (
  day TEXT NOT NULL,
  kind TEXT NOT NULL,
  account_id TEXT NOT NULL,
  source TEXT NOT NULL,
  tries BIGINT NOT NULL,
  locks BIGINT NOT NULL,
  first_at BIGINT NOT NULL,
  last_at BIGINT NOT NULL,
  PRIMARY KEY (day, kind, account_id, source)
);
CREATE INDEX login_failure_account ON login_failure (account_id, day);

-- truth: an account unlocked, or a new activation code for one in use: started by a system administrator, approved
-- by a security administrator. kind: unlock, reset; state: waiting, approved, refused, withdrawn, used
CREATE TABLE unlock_request (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('unlock', 'reset')),
  reason TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'approved', 'refused', 'withdrawn', 'used')),
  requested_by TEXT NOT NULL,
  requested_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  decided_by TEXT,
  decided_at BIGINT NOT NULL,
  decided_why TEXT,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL,
  CHECK (decided_by IS NULL OR state = 'withdrawn' OR decided_by <> requested_by)
);
CREATE INDEX unlock_request_state ON unlock_request (state, id);
CREATE INDEX unlock_request_account ON unlock_request (account_id, state);
