-- Reference pages: suspended certificates, how far a source is connected, what an account opened last.

-- truth: a certificate that may not be used for a while
CREATE TABLE officer_suspension (
  id TEXT PRIMARY KEY,
  certificate_no TEXT NOT NULL,
  from_day TEXT NOT NULL,
  -- the last day it holds; 9999-12-31 until somebody lifts it
  to_day TEXT NOT NULL,
  reason TEXT NOT NULL,
  suspended_by TEXT NOT NULL,
  suspended_at BIGINT NOT NULL,
  -- 0 while it stands
  lifted_at BIGINT NOT NULL,
  lifted_by TEXT,
  lift_reason TEXT,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE INDEX officer_suspension_certificate ON officer_suspension (certificate_no, lifted_at);

-- truth: how far a department's system is connected (应接尽接); id = the source's
CREATE TABLE hub_connection (
  id TEXT PRIMARY KEY,
  cd_source TEXT NOT NULL,
  -- planned | connecting | live
  stage TEXT NOT NULL,
  -- by when it is to be connected
  due_on TEXT,
  -- from which day it delivers
  live_since TEXT,
  note TEXT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX hub_connection_source ON hub_connection (cd_source);
CREATE INDEX hub_batch_received ON hub_batch (cd_source, received_at);

-- bookkeeping: what an account opened last; only the name of the thing, shown anew under present rights
CREATE TABLE desk_recent (
  account_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  object_id TEXT NOT NULL,
  opened_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, kind, object_id)
);
CREATE INDEX desk_recent_newest ON desk_recent (account_id, opened_at);

