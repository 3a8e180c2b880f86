-- Work items: to-dos and the review queue, each with its timeline.

-- truth: something a person has to decide or handle
CREATE TABLE work_item (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  title TEXT NOT NULL,
  -- what it is about: a table and the id in it
  object_table TEXT NOT NULL,
  object_id TEXT NOT NULL,
  -- one open item for one cause: the same event delivered twice makes one item
  cause TEXT NOT NULL,
  area_number TEXT,
  agency TEXT,
  agency_name TEXT,
  -- received | claimed | returned | handled | fed_back | closed
  state TEXT NOT NULL,
  assignee TEXT,
  -- last day, YYYY-MM-DD
  deadline TEXT,
  urged BIGINT NOT NULL,
  verdict TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  -- JSON, nothing personal in it
  payload TEXT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX work_item_cause ON work_item (cause);
CREATE INDEX work_item_queue ON work_item (state, deadline, id);

-- truth: what was done with it, in order
CREATE TABLE work_item_step (
  id TEXT PRIMARY KEY,
  work_item_id TEXT NOT NULL,
  number BIGINT NOT NULL,
  verb TEXT NOT NULL,
  from_state TEXT,
  to_state TEXT NOT NULL,
  actor TEXT NOT NULL,
  at BIGINT NOT NULL,
  note TEXT,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX work_item_step_order ON work_item_step (work_item_id, number);
