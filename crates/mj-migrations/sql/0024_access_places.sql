-- Where an export request comes from, so that only those may approve it who answer for that place.
ALTER TABLE export_request ADD COLUMN area TEXT;
ALTER TABLE export_request ADD COLUMN agency TEXT;
ALTER TABLE export_request ADD COLUMN decided_why TEXT;

-- The certificate of office behind an account (持证执法人员): id = the account's.
CREATE TABLE officer_binding (
  id TEXT PRIMARY KEY,
  certificate_no TEXT NOT NULL,
  bound_by TEXT NOT NULL,
  bound_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
