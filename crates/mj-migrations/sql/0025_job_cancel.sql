-- Long work can be cancelled: a wish that the job looks at between chunks, and the moment from which
-- it is too late. Both 0 until then.
ALTER TABLE job ADD COLUMN cancel_requested BIGINT NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN cancel_closed BIGINT NOT NULL DEFAULT 0;

-- truth: somebody stopped a load, and why
CREATE TABLE hub_stop (
  id TEXT PRIMARY KEY,
  batch_id TEXT NOT NULL,
  -- which run of the batch: sent again it is another one
  attempt BIGINT NOT NULL,
  reason TEXT NOT NULL,
  actor TEXT NOT NULL,
  asked_at BIGINT NOT NULL,
  -- empty until the load has come to its next chunk
  stopped_at BIGINT,
  -- rows that had been judged by then; none of them was kept
  rows_judged BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE INDEX hub_stop_batch ON hub_stop (batch_id, attempt);

-- bookkeeping: how many mentions there were when a run of a batch began; gone when it is settled
CREATE TABLE hub_run (
  batch_id TEXT NOT NULL,
  attempt BIGINT NOT NULL,
  mentions_before BIGINT NOT NULL,
  PRIMARY KEY (batch_id, attempt)
);
