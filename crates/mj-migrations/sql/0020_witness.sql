-- Witnesses of the supervision log: what this node saw of other logs, what others signed of its own,
-- the record of a fork, erased payloads, and where in the log a record is spoken of.

-- bookkeeping: the newest checkpoint this node cosigned of each log it watches
CREATE TABLE log_witnessed (
  origin TEXT PRIMARY KEY,
  size BIGINT NOT NULL,
  root TEXT NOT NULL,
  checkpoint TEXT NOT NULL,
  cosigned_at BIGINT NOT NULL
);

-- bookkeeping: this node's checkpoints as others cosigned them
CREATE TABLE log_cosignature (
  witness TEXT NOT NULL,
  size BIGINT NOT NULL,
  root TEXT NOT NULL,
  cosigned_at BIGINT NOT NULL,
  checkpoint TEXT NOT NULL,
  PRIMARY KEY (witness, size)
);

-- truth: a store that was put back to an older state goes on from there, by decision
CREATE TABLE log_fork (
  id TEXT PRIMARY KEY,
  at BIGINT NOT NULL,
  witness TEXT NOT NULL,
  seen_size BIGINT NOT NULL,
  seen_root TEXT NOT NULL,
  own_size BIGINT NOT NULL,
  own_root TEXT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);

-- truth: as a witness, starting anew with a log whose fork was decided; the old evidence stays
CREATE TABLE log_witness_reset (
  id TEXT PRIMARY KEY,
  at BIGINT NOT NULL,
  origin TEXT NOT NULL,
  size BIGINT NOT NULL,
  root TEXT NOT NULL,
  checkpoint TEXT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);

-- truth: acts whose who, what and why was erased lawfully; id = the act's
CREATE TABLE payload_erasure (
  id TEXT PRIMARY KEY,
  log_seq BIGINT NOT NULL,
  erased_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE INDEX payload_erasure_seq ON payload_erasure (log_seq);

-- bookkeeping, made from the log's own sheets: entries that wrote a row (`table:key`), small acts only
CREATE TABLE log_touch (
  object TEXT NOT NULL,
  seq BIGINT NOT NULL,
  PRIMARY KEY (object, seq)
);
-- how far log_touch was made
CREATE TABLE log_touched (id BIGINT PRIMARY KEY, size BIGINT NOT NULL);
INSERT INTO log_touched (id, size) VALUES (1, 0);
