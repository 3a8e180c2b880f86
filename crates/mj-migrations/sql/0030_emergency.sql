-- truth: a sealed code of two holders for the day on which no administrator can sign in. Of the code only the hash is
-- kept; opened once, the row is its own session (`token_sha256`, good `until`), so there is no account to misuse later.
CREATE TABLE emergency_seal (
  id TEXT PRIMARY KEY,
  first_holder TEXT NOT NULL,
  second_holder TEXT NOT NULL,
  code_sha256 TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('sealed', 'replaced', 'opened')),
  sealed_by TEXT NOT NULL,
  sealed_at BIGINT NOT NULL,
  opened_at BIGINT NOT NULL,
  opened_why TEXT NOT NULL,
  until BIGINT NOT NULL,
  token_sha256 TEXT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL,
  CHECK (first_holder <> second_holder)
);
CREATE UNIQUE INDEX emergency_seal_one ON emergency_seal (state) WHERE state = 'sealed';
CREATE INDEX emergency_seal_token ON emergency_seal (token_sha256);
