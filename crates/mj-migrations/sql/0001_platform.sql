-- The floor: order of changes, act journal, outbox, jobs, blobs, data keys.
CREATE TABLE change_head (id BIGINT PRIMARY KEY, seq BIGINT NOT NULL);
INSERT INTO change_head (id, seq) VALUES (1, 0);

CREATE TABLE act_journal (
  id TEXT PRIMARY KEY,
  seq BIGINT NOT NULL,
  at BIGINT NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  object TEXT NOT NULL,
  reason TEXT,
  request_id TEXT NOT NULL,
  changes BIGINT NOT NULL,
  sheet_sm3 BLOB NOT NULL,
  lines TEXT NOT NULL
);
CREATE INDEX act_journal_seq ON act_journal (seq);
CREATE INDEX act_journal_object ON act_journal (object, seq);

CREATE TABLE outbox (
  id TEXT PRIMARY KEY,
  at BIGINT NOT NULL,
  name TEXT NOT NULL,
  payload TEXT NOT NULL,
  delivered_at BIGINT
);
CREATE INDEX outbox_waiting ON outbox (delivered_at, id);

CREATE TABLE job (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  payload TEXT NOT NULL,
  idempotency_key TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL,
  run_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  started_at BIGINT,
  finished_at BIGINT,
  attempts BIGINT NOT NULL,
  lease_until BIGINT NOT NULL DEFAULT 0,
  progress_done BIGINT NOT NULL,
  progress_total BIGINT NOT NULL,
  message TEXT NOT NULL
);
CREATE INDEX job_due ON job (state, run_at);

CREATE TABLE blob (
  id TEXT PRIMARY KEY,
  file TEXT NOT NULL,
  sm3 TEXT NOT NULL,
  size BIGINT NOT NULL,
  stored_size BIGINT NOT NULL,
  wrapped_key BLOB NOT NULL,
  created_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);

CREATE TABLE data_key (
  id TEXT PRIMARY KEY,
  subject TEXT NOT NULL UNIQUE,
  wrapped BLOB NOT NULL,
  created_at BIGINT NOT NULL
);
