-- truth: the monthly audit report as an audit administrator signed it: `report` is canonical JSON, `report_sm3` its SM3,
-- which the entry of the act names too. A correction is a further edition; none is ever changed.
CREATE TABLE audit_report (
  id TEXT PRIMARY KEY,
  month TEXT NOT NULL,
  edition BIGINT NOT NULL CHECK (edition >= 1),
  report TEXT NOT NULL,
  report_sm3 TEXT NOT NULL,
  signed_by TEXT NOT NULL,
  signed_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL,
  UNIQUE (month, edition)
);

-- What the node's own watching came to, by day, so that a month can be looked back upon: kind check (name: whole, hot)
-- counts comparisons of tables with the log, kind witness (name: the witness's) counts questions to it.
-- bad: comparisons that found something, questions while in alarm; failed: not carried out, not answered;
-- worst: most findings of one comparison, longest lag in seconds.
CREATE TABLE log_watch (
  day TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  rounds BIGINT NOT NULL,
  bad BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  worst BIGINT NOT NULL,
  last_at BIGINT NOT NULL,
  PRIMARY KEY (day, kind, name)
);

-- a month of acts is counted without reading the years before it
CREATE INDEX act_journal_at ON act_journal (at);
