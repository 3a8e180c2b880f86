-- Agencies, accounts, grants, credentials (business truth); sessions, lockout, codes, keys of creates.
CREATE TABLE agency (
  id TEXT PRIMARY KEY,
  uscc TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  short_name TEXT NOT NULL,
  area_number TEXT NOT NULL,
  line TEXT NOT NULL,
  nature TEXT NOT NULL,
  parent TEXT,
  valid_from TEXT NOT NULL,
  valid_to TEXT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE INDEX agency_area ON agency (area_number, uscc);

-- class: business, admin (one of the three administrators), source (a department's own system)
CREATE TABLE account (
  id TEXT PRIMARY KEY,
  login TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  class TEXT NOT NULL CHECK (class IN ('business', 'admin', 'source')),
  cd_source TEXT,
  agency TEXT,
  state TEXT NOT NULL CHECK (state IN ('active', 'disabled')),
  created_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL,
  UNIQUE (id, class)
);

-- The separation of the three administrators is the database's own: an administrator's role fits
-- only an administrator's account and no other role does, and such an account holds at most one.
CREATE TABLE role_grant (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  account_class TEXT NOT NULL,
  role TEXT NOT NULL,
  areas TEXT NOT NULL,
  agencies TEXT NOT NULL,
  item_lines TEXT NOT NULL,
  level TEXT NOT NULL,
  valid_from TEXT NOT NULL,
  valid_to TEXT NOT NULL,
  granted_by TEXT NOT NULL,
  granted_at BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL,
  FOREIGN KEY (account_id, account_class) REFERENCES account (id, class),
  CHECK (account_class <> 'source'),
  CHECK ((role IN ('sys_admin', 'sec_admin', 'audit_admin')) = (account_class = 'admin'))
);
CREATE INDEX role_grant_account ON role_grant (account_id, revoked_at);
CREATE UNIQUE INDEX role_grant_one_administrator ON role_grant (account_id)
  WHERE account_class = 'admin' AND revoked_at = 0;

-- id = the account's
CREATE TABLE credential (
  id TEXT PRIMARY KEY,
  password_hash TEXT NOT NULL,
  changed_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);

CREATE TABLE source_token (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  token_sha256 TEXT NOT NULL UNIQUE,
  issued_at BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE INDEX source_token_account ON source_token (account_id, revoked_at);

CREATE TABLE session (
  id TEXT PRIMARY KEY,
  token_sha256 TEXT NOT NULL UNIQUE,
  account_id TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  last_seen_at BIGINT NOT NULL,
  idle_seconds BIGINT NOT NULL,
  absolute_until BIGINT NOT NULL,
  proven_at BIGINT NOT NULL
);
CREATE INDEX session_account ON session (account_id);
CREATE INDEX session_end ON session (absolute_until);

-- Failed logins by account and by network source, both only as hashes.
CREATE TABLE login_bucket (
  bucket TEXT PRIMARY KEY,
  failures BIGINT NOT NULL,
  first_at BIGINT NOT NULL,
  locked_until BIGINT NOT NULL
);

-- One-time codes: the three administrators of a first start, and the activation of an account.
CREATE TABLE enrolment (
  id TEXT PRIMARY KEY,
  role TEXT NOT NULL,
  account_id TEXT NOT NULL,
  code_sha256 TEXT NOT NULL UNIQUE,
  created_at BIGINT NOT NULL,
  used_at BIGINT NOT NULL
);

-- Keys of creates (mj-web): kept as long as the record.
CREATE TABLE idempotency (
  actor TEXT NOT NULL,
  idem_key TEXT NOT NULL,
  digest TEXT NOT NULL,
  status BIGINT NOT NULL,
  object_id TEXT NOT NULL,
  version BIGINT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (actor, idem_key)
);
