-- The second factor: a secret shared with an authenticator (sealed), the last step used, recovery codes.
ALTER TABLE session ADD COLUMN state TEXT NOT NULL DEFAULT 'active';
ALTER TABLE session ADD COLUMN device TEXT NOT NULL DEFAULT '';

-- id = the account's. candidate: a secret drawn but not yet proven; confirmed_at = 0: none in force;
-- required: the account must set one up at its next login, whatever the house's rule says.
CREATE TABLE second_factor (
  id TEXT PRIMARY KEY,
  secret BLOB NOT NULL,
  candidate BLOB NOT NULL,
  confirmed_at BIGINT NOT NULL,
  required BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);

-- The newest step of 30 seconds whose code was taken: no code opens twice.
CREATE TABLE totp_step (
  account_id TEXT PRIMARY KEY,
  last_step BIGINT NOT NULL
);

CREATE TABLE recovery_code (
  code_sha256 TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  used_at BIGINT NOT NULL
);
CREATE INDEX recovery_code_account ON recovery_code (account_id, used_at);
