-- How many sessions of a kind (web, mobile) an account has at once. The seal of a session says its kind from now on:
-- what was sealed without it would be taken for planted, so everybody signs in once more.
DELETE FROM session;
ALTER TABLE session ADD COLUMN kind TEXT NOT NULL DEFAULT 'web';

-- What another sign-in ended, for a week: for its owner to be told, never to open anything.
CREATE TABLE session_ended (
  token_sha256 TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  device TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  ended_at BIGINT NOT NULL,
  by_device TEXT NOT NULL,
  by_source TEXT NOT NULL
);
CREATE INDEX session_ended_account ON session_ended (account_id, ended_at);

-- Sign-ins of one account come one after another: each holds its row to the commit.
CREATE TABLE session_turn (
  account_id TEXT PRIMARY KEY,
  taken_at BIGINT NOT NULL
);
