-- truth: who an account is to somebody else who vouches for people (a province's single sign-on), by the
-- issuer and the name it gives the person; never by telephone or citizen id. An own login needs no row.
CREATE TABLE account_identity (
  id TEXT PRIMARY KEY,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  account_id TEXT NOT NULL,
  bound_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL,
  UNIQUE (issuer, subject)
);
CREATE INDEX account_identity_account ON account_identity (account_id);
