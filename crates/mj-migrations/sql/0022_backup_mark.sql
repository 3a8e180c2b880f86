-- bookkeeping: a commit of its own at each copy of a PostgreSQL, so that recovery finds one behind
-- every instant it may be asked to stop at
CREATE TABLE backup_mark (
  id BIGINT PRIMARY KEY,
  at BIGINT NOT NULL
);
