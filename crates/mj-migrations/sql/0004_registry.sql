-- Parties, what rows called them (mentions), officers. Personal values stand sealed (`~1.…`).

-- bookkeeping: the last register and mention numbers given out; a number is never given twice
CREATE TABLE registry_counter (name TEXT PRIMARY KEY, last BIGINT NOT NULL);
INSERT INTO registry_counter (name, last) VALUES ('mention', 0);
INSERT INTO registry_counter (name, last) VALUES ('party', 0);
INSERT INTO registry_counter (name, last) VALUES ('officer', 0);

-- truth: what a delivered row called its party, once per wording
CREATE TABLE mention (
  id TEXT PRIMARY KEY,
  number BIGINT NOT NULL,
  -- keyed hash of the wording
  wording BLOB NOT NULL,
  -- object type (list object_type); 2 is a natural person
  kind TEXT NOT NULL,
  code_type TEXT,
  code TEXT,
  name TEXT NOT NULL,
  regist_no TEXT,
  area_number TEXT,
  address TEXT,
  -- code | regist_no | name: what the wording can be linked by
  tier TEXT NOT NULL,
  -- the identity the wording proves by itself, see model::Anchor
  anchor TEXT NOT NULL,
  -- valid registration number, the second way to link
  regist_key TEXT,
  -- 53-bit hash of the name without region and form, 0 for natural persons
  block BIGINT NOT NULL,
  party_id TEXT,
  -- code | regist_no | name_address | itself
  link_rule TEXT NOT NULL,
  score BIGINT NOT NULL,
  explain TEXT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX mention_wording ON mention (wording);
CREATE INDEX mention_party ON mention (party_id);
CREATE INDEX mention_block ON mention (block);
CREATE INDEX mention_regist_key ON mention (regist_key);

-- bookkeeping: mentions whose link must be settled again; emptied by relink
CREATE TABLE registry_relink (mention_id TEXT PRIMARY KEY);

-- truth: the master record of a supervised party
CREATE TABLE party (
  id TEXT PRIMARY KEY,
  register_no TEXT NOT NULL,
  anchor TEXT NOT NULL,
  kind TEXT NOT NULL,
  -- register | register_with_gaps | mention: what stands behind the values
  origin TEXT NOT NULL,
  name TEXT NOT NULL,
  -- keyed hash of a natural person's name, for equal search
  name_hash TEXT,
  uscc TEXT,
  regist_no TEXT,
  -- a natural person's number, sealed, and its type
  person_code TEXT,
  person_code_type TEXT,
  area_number TEXT,
  address TEXT,
  -- folded name, pinyin initials, codes, address; empty for natural persons
  search_text TEXT NOT NULL,
  status TEXT,
  -- the day from which these values hold (YYYY-MM-DD), and the position at which we knew
  valid_from TEXT NOT NULL,
  known_from BIGINT NOT NULL,
  merged_into TEXT,
  -- linked | merged: by the rules of linkage, or by a person
  merge_rule TEXT,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX party_register_no ON party (register_no);
CREATE UNIQUE INDEX party_anchor ON party (anchor);
CREATE INDEX party_merged_into ON party (merged_into);
CREATE INDEX party_name_hash ON party (name_hash);
CREATE INDEX party_regist_no ON party (regist_no);

-- truth: what a party was, by day (valid) and by position (known)
CREATE TABLE party_version (
  id TEXT PRIMARY KEY,
  party_id TEXT NOT NULL,
  valid_from TEXT NOT NULL,
  valid_to TEXT,
  known_from BIGINT NOT NULL,
  known_to BIGINT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  uscc TEXT,
  regist_no TEXT,
  area_number TEXT,
  address TEXT,
  status TEXT,
  merged_into TEXT,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE INDEX party_version_party ON party_version (party_id, known_from);

-- truth: register rows kept beside the party; the party's values are chosen from them
CREATE TABLE party_source (
  id TEXT PRIMARY KEY,
  mention_id TEXT NOT NULL,
  table_name TEXT NOT NULL,
  cd_source TEXT NOT NULL,
  -- keyed hash of the record number, which may name a person
  cd_id TEXT NOT NULL,
  cd_time BIGINT NOT NULL,
  -- 1 when the source took the record back
  deleted BIGINT NOT NULL,
  batch_id TEXT NOT NULL,
  row_no BIGINT NOT NULL,
  priority BIGINT NOT NULL,
  -- JSON list of [column, value] in the table's order; personal values sealed
  fields TEXT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX party_source_record ON party_source (table_name, cd_source, cd_id);
CREATE INDEX party_source_mention ON party_source (mention_id);

-- truth: merges by people, and their undoing
CREATE TABLE party_merge (
  id TEXT PRIMARY KEY,
  keep_id TEXT NOT NULL,
  merge_id TEXT NOT NULL,
  reason TEXT NOT NULL,
  area_number TEXT,
  actor TEXT NOT NULL,
  merged_at BIGINT NOT NULL,
  undone_at BIGINT NOT NULL,
  undone_by TEXT,
  undo_reason TEXT,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE INDEX party_merge_merged ON party_merge (merge_id);
CREATE INDEX party_merge_keep ON party_merge (keep_id);

-- truth: pairs that may be one party
CREATE TABLE party_pair (
  id TEXT PRIMARY KEY,
  keep_id TEXT NOT NULL,
  merge_id TEXT NOT NULL,
  -- asked | same | different | settled (linkage found the answer by itself)
  state TEXT NOT NULL,
  score BIGINT NOT NULL,
  explain TEXT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX party_pair_both ON party_pair (merge_id, keep_id);

-- truth: a law enforcement officer; number and telephone stand sealed
CREATE TABLE officer (
  id TEXT PRIMARY KEY,
  register_no TEXT NOT NULL,
  anchor TEXT NOT NULL,
  name TEXT NOT NULL,
  initials TEXT NOT NULL,
  id_no TEXT,
  org_full_name TEXT,
  staff_type TEXT,
  is_supervisor TEXT,
  area_number TEXT,
  dept_code TEXT,
  status TEXT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX officer_register_no ON officer (register_no);
CREATE UNIQUE INDEX officer_anchor ON officer (anchor);

-- truth: delivered officer rows; the officer and the certificate are chosen from them
CREATE TABLE officer_source (
  id TEXT PRIMARY KEY,
  cd_source TEXT NOT NULL,
  cd_id TEXT NOT NULL,
  cd_time BIGINT NOT NULL,
  deleted BIGINT NOT NULL,
  batch_id TEXT NOT NULL,
  row_no BIGINT NOT NULL,
  priority BIGINT NOT NULL,
  certificate_no TEXT NOT NULL,
  anchor TEXT NOT NULL,
  fields TEXT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX officer_source_record ON officer_source (cd_source, cd_id);
CREATE INDEX officer_source_certificate ON officer_source (certificate_no);
CREATE INDEX officer_source_anchor ON officer_source (anchor);

-- truth: an enforcement certificate and the days it holds
CREATE TABLE officer_certificate (
  id TEXT PRIMARY KEY,
  officer_id TEXT NOT NULL,
  certificate_no TEXT NOT NULL,
  issue_authority TEXT,
  law_area TEXT,
  law_type TEXT,
  valid_from TEXT,
  valid_until TEXT,
  -- in_use | withdrawn
  status TEXT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX officer_certificate_no ON officer_certificate (certificate_no);
CREATE INDEX officer_certificate_officer ON officer_certificate (officer_id);
