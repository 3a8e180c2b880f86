-- The clerk's workbench: exports remembered, refused rows mended by a rule.

-- truth: a list that somebody took away as a file
CREATE TABLE data_export (
  id TEXT PRIMARY KEY,
  list_name TEXT NOT NULL,
  title TEXT NOT NULL,
  columns_json TEXT NOT NULL,
  -- what was searched for is not written down: it may name a person
  filters_json TEXT NOT NULL,
  -- csv | xlsx
  format TEXT NOT NULL,
  row_count BIGINT NOT NULL,
  actor TEXT NOT NULL,
  at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);

-- truth: one fault of many rows of a batch, mended by one rule
CREATE TABLE hub_repair (
  id TEXT PRIMARY KEY,
  batch_id TEXT NOT NULL,
  rule TEXT NOT NULL,
  column_name TEXT NOT NULL,
  -- JSON: what is replaced by what, or which transformation
  fix TEXT NOT NULL,
  title TEXT NOT NULL,
  reason TEXT NOT NULL,
  -- waiting | cancelled | submitted | empty
  state TEXT NOT NULL,
  -- rows that had the fault, rows that were brought back
  matched BIGINT NOT NULL,
  submitted BIGINT NOT NULL,
  -- the batch in which they came back
  result_batch TEXT,
  actor TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  run_at BIGINT NOT NULL,
  finished_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE INDEX hub_repair_batch ON hub_repair (batch_id, id);

-- open errors of a batch, counted for the department's own list
CREATE INDEX hub_error_open ON hub_error (state, batch_id);

-- the queue's own order
CREATE INDEX work_item_order ON work_item ((COALESCE(deadline, '9999-12-31') || ' ' || id));
