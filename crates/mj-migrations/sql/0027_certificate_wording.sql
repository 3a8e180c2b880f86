-- truth: which lines of items the wording of a certificate stands for (执法类别 → 事项条线), by the agency whose officers
-- hold it, on which days. A wording may stand for several lines, one row each.
CREATE TABLE certificate_wording (
  id TEXT PRIMARY KEY,
  agency TEXT NOT NULL,
  wording TEXT NOT NULL,
  line TEXT NOT NULL,
  valid_from TEXT NOT NULL,
  -- up to, and without, this day; 9999-12-31 without end
  valid_to TEXT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE INDEX certificate_wording_said ON certificate_wording (agency, wording, line);
