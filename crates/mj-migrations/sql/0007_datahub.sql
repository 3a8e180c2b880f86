-- The data centre: who delivers (source), what was delivered (batch), what was refused (error).

-- truth: a department's system or a third party that may deliver
CREATE TABLE hub_source (
  id TEXT PRIMARY KEY,
  cd_source TEXT NOT NULL,
  name TEXT NOT NULL,
  -- agency | third_party
  kind TEXT NOT NULL,
  -- unified social credit code and name of the agency that answers for the data
  agency TEXT,
  agency_name TEXT,
  area TEXT,
  -- smaller wins when sources contradict each other about a party
  priority BIGINT NOT NULL,
  -- JSON lists; an empty list of tables means every table
  channels TEXT NOT NULL,
  tables TEXT NOT NULL,
  -- JSON object table -> rows that the source says it holds (存量)
  backlog_declared TEXT NOT NULL,
  -- active | stopped
  status TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX hub_source_code ON hub_source (cd_source);

-- truth: one delivery; its counts are fixed once it is settled
CREATE TABLE hub_batch (
  id TEXT PRIMARY KEY,
  table_name TEXT NOT NULL,
  cd_source TEXT NOT NULL,
  cd_batch TEXT NOT NULL,
  -- file | push | upload | manual
  channel TEXT NOT NULL,
  -- backlog | delta
  portion TEXT NOT NULL,
  -- csv | xlsx | jsonl | auto
  format TEXT NOT NULL,
  body_sha256 TEXT NOT NULL,
  file_name TEXT,
  blob_id TEXT NOT NULL,
  bytes BIGINT NOT NULL,
  -- received | running | settled | failed
  state TEXT NOT NULL,
  front BIGINT NOT NULL,
  pending BIGINT NOT NULL,
  correct BIGINT NOT NULL,
  error BIGINT NOT NULL,
  duplicate BIGINT NOT NULL,
  superseded BIGINT NOT NULL,
  -- JSON objects class -> rows, rule -> rows
  by_class TEXT NOT NULL,
  by_rule TEXT NOT NULL,
  received_at BIGINT NOT NULL,
  settled_at BIGINT,
  message TEXT,
  -- the batch whose refused rows this one brings back, mended
  mends_batch TEXT,
  -- the delivered columns as the department named them (JSON list) and the encoding found
  header TEXT,
  encoding TEXT,
  -- how often the batch was taken up; a failed one is taken up again when it is sent again
  attempt BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX hub_batch_number ON hub_batch (cd_source, table_name, cd_batch);
CREATE INDEX hub_batch_body ON hub_batch (cd_source, table_name, body_sha256);
CREATE INDEX hub_batch_table ON hub_batch (table_name, state);

-- bookkeeping: one row a source, locked while a delivery of the source is registered
CREATE TABLE hub_intake (
  cd_source TEXT PRIMARY KEY,
  day TEXT NOT NULL,
  last BIGINT NOT NULL
);

-- bookkeeping: refused rows, worked on until mended; written again when the batch runs again
CREATE TABLE hub_error (
  batch_id TEXT NOT NULL,
  row_no BIGINT NOT NULL,
  line_no BIGINT NOT NULL,
  -- masked when the record is named by a person's number
  cd_id TEXT,
  -- the delivered row as a whole, sealed
  raw BLOB NOT NULL,
  -- JSON list of findings, personal values masked
  issues TEXT NOT NULL,
  -- bit n set: a finding of class n
  class_mask BIGINT NOT NULL,
  -- |rule|rule|
  rules TEXT NOT NULL,
  -- open | mended
  state TEXT NOT NULL,
  mended_by TEXT,
  mended_at BIGINT,
  PRIMARY KEY (batch_id, row_no)
);
