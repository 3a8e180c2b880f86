-- truth: answers that refused somebody known, one row an hour, actor, action and outcome, with how often. actor and action
-- are empty in the few rows that take what is beyond the bounds (rules/refusal.toml in mj-access). Of the object its id
-- alone; source is a hash as in login_failure; object, source and request are those of the first time.
CREATE TABLE refusal (
  id TEXT PRIMARY KEY,
  day TEXT NOT NULL,
  hour BIGINT NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('denied', 'out_of_scope', 'barred', 'probing')),
  object_kind TEXT NOT NULL,
  object_id TEXT NOT NULL,
  source TEXT NOT NULL,
  request_id TEXT NOT NULL,
  tries BIGINT NOT NULL,
  first_at BIGINT NOT NULL,
  last_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX refusal_one ON refusal (hour, actor, action, outcome);
CREATE INDEX refusal_day ON refusal (day, last_at);
CREATE INDEX refusal_actor ON refusal (actor, last_at);
