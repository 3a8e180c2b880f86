-- The supervision catalogue as dated live objects, chosen from the delivered list rows.

-- truth: a delivered row of a list; the newest of a record counts
CREATE TABLE catalog_source (
  id TEXT PRIMARY KEY,
  table_name TEXT NOT NULL,
  cd_source TEXT NOT NULL,
  cd_id TEXT NOT NULL,
  cd_time BIGINT NOT NULL,
  deleted BIGINT NOT NULL,
  batch_id TEXT NOT NULL,
  row_no BIGINT NOT NULL,
  -- the item or implementation code the row is about
  code TEXT NOT NULL,
  -- JSON object column -> value
  fields TEXT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX catalog_source_record ON catalog_source (table_name, cd_source, cd_id);
CREATE INDEX catalog_source_code ON catalog_source (table_name, code);

-- truth: one version of an item; main items have 8 digits, sub-items 14
CREATE TABLE catalog_item (
  id TEXT PRIMARY KEY,
  item_code TEXT NOT NULL,
  main_code TEXT NOT NULL,
  line TEXT NOT NULL,
  -- main | sub
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  name_norm TEXT NOT NULL,
  admin_type TEXT,
  levels TEXT,
  department_name TEXT,
  area_number TEXT,
  legal_basis TEXT,
  -- in_use | suspended | cancelled
  state TEXT NOT NULL,
  list_version TEXT NOT NULL,
  valid_from TEXT NOT NULL,
  valid_to TEXT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX catalog_item_version ON catalog_item (item_code, list_version);
CREATE INDEX catalog_item_main ON catalog_item (main_code);

-- truth: one version of an implementation list entry
CREATE TABLE catalog_implementation (
  id TEXT PRIMARY KEY,
  inventory_code TEXT NOT NULL,
  item_code TEXT NOT NULL,
  body_code TEXT NOT NULL,
  body_name TEXT,
  exercise_level TEXT,
  is_random TEXT,
  area_number TEXT,
  state TEXT NOT NULL,
  list_version TEXT NOT NULL,
  valid_from TEXT NOT NULL,
  valid_to TEXT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX catalog_implementation_version ON catalog_implementation (inventory_code, list_version);
CREATE INDEX catalog_implementation_item ON catalog_implementation (item_code);

-- truth: a department system's own item codes, one to one with the unified items
CREATE TABLE catalog_mapping (
  id TEXT PRIMARY KEY,
  cd_source TEXT NOT NULL,
  local_code TEXT NOT NULL,
  item_code TEXT NOT NULL,
  valid_from TEXT NOT NULL,
  valid_to TEXT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX catalog_mapping_local ON catalog_mapping (cd_source, local_code, valid_from);
