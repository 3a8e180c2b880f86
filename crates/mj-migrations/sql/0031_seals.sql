-- A seal (HMAC-SM3 under a key of the vault, seal.rs in mj-access) over every secret that lets somebody in: what is put
-- in by SQL has none and opens nothing. Rows of business truth have theirs beside them.
ALTER TABLE session ADD COLUMN seal TEXT NOT NULL DEFAULT '';
ALTER TABLE enrolment ADD COLUMN seal TEXT NOT NULL DEFAULT '';
ALTER TABLE recovery_code ADD COLUMN seal TEXT NOT NULL DEFAULT '';

-- kind: password (id = the account's), source_token, emergency
CREATE TABLE secret_seal (
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  seal TEXT NOT NULL,
  PRIMARY KEY (kind, id)
);
