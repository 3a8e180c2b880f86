-- Keys of persons: how many there are is counted like the rows of business truth, so that `doctor`
-- misses one that was lost; what was erased lawfully stands here under the key's own name.

-- truth: a person's key that was destroyed
CREATE TABLE erasure (
  id TEXT PRIMARY KEY,
  erased_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
INSERT INTO truth_count (table_name, row_count) SELECT 'data_key', COUNT(*) FROM data_key;
INSERT INTO truth_count (table_name, row_count) VALUES ('erasure', 0);
