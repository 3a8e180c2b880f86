-- The supervision log. Its entries lie in files (`log/` of the data directory); the database holds who,
-- what and why of each (the act journal, erasable) and what the files do not have yet.

-- how many entries were ever numbered; numbers are given under the lock of this row
ALTER TABLE change_head ADD COLUMN entries BIGINT NOT NULL DEFAULT 0;

-- the number of the act's entry, and the salt of the digest by which the entry commits to this row
ALTER TABLE act_journal ADD COLUMN log_seq BIGINT;
ALTER TABLE act_journal ADD COLUMN salt BLOB;
CREATE UNIQUE INDEX act_journal_log ON act_journal (log_seq);

-- bookkeeping: entries that are not yet in the files, with their sheets (zstd)
CREATE TABLE log_pending (
  seq BIGINT PRIMARY KEY,
  entry TEXT NOT NULL,
  sheet BLOB NOT NULL
);
