-- The public site: posts with every text they ever had, what citizens say is wrong, open data.

-- truth: a post of 监管动态 (news) or 曝光台 (exposure); its words stand in portal_post_text
CREATE TABLE portal_post (
  id TEXT PRIMARY KEY,
  -- news | exposure
  kind TEXT NOT NULL,
  -- its permanent number, given when it is first published
  number BIGINT,
  -- draft | published | withdrawn
  state TEXT NOT NULL,
  -- the agency whose word it is
  agency TEXT NOT NULL,
  agency_name TEXT NOT NULL,
  area_number TEXT NOT NULL,
  author TEXT NOT NULL,
  -- exposure only: whose behaviour, and which line of the public record
  register_no TEXT,
  party_name TEXT,
  act_line TEXT,
  act_table TEXT,
  act_title TEXT,
  act_date TEXT,
  -- exposure only: the last day it is shown, and the rule that says so
  shown_until TEXT,
  until_rule TEXT,
  -- the text the public reads, and the one under way
  shown_text BIGINT,
  open_text BIGINT,
  published_at BIGINT,
  withdrawn_at BIGINT,
  withdrawn_why TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX portal_post_number ON portal_post (kind, number);
CREATE INDEX portal_post_shown ON portal_post (kind, state, number);
CREATE INDEX portal_post_desk ON portal_post (area_number, updated_at);
CREATE INDEX portal_post_party ON portal_post (register_no);

-- truth: one text of a post; a published one is never changed, a correction is the next one
CREATE TABLE portal_post_text (
  id TEXT PRIMARY KEY,
  post_id TEXT NOT NULL,
  number BIGINT NOT NULL,
  -- draft | submitted | returned | published | replaced
  state TEXT NOT NULL,
  title TEXT NOT NULL,
  body TEXT NOT NULL,
  author TEXT NOT NULL,
  -- why the text before it was corrected; the public reads it
  why TEXT,
  reviewer TEXT,
  published_at BIGINT,
  updated_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX portal_post_text_order ON portal_post_text (post_id, number);

-- truth: what was done with a post, in order
CREATE TABLE portal_post_step (
  id TEXT PRIMARY KEY,
  post_id TEXT NOT NULL,
  number BIGINT NOT NULL,
  verb TEXT NOT NULL,
  actor TEXT NOT NULL,
  at BIGINT NOT NULL,
  note TEXT,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX portal_post_step_order ON portal_post_step (post_id, number);

-- truth: somebody without an account says that a line of a public record is wrong
CREATE TABLE portal_correction (
  -- a keyed digest of the form's token: a form sent twice is one report
  id TEXT PRIMARY KEY,
  -- told to whoever asked, with a query code of which only the digest is kept
  number TEXT NOT NULL,
  code_digest TEXT NOT NULL,
  register_no TEXT NOT NULL,
  party_name TEXT NOT NULL,
  -- which line: a field of the register or a behaviour
  line TEXT NOT NULL,
  line_title TEXT NOT NULL,
  area_number TEXT,
  agency TEXT,
  agency_name TEXT,
  -- what is wrong with it, by code and in words
  fault TEXT NOT NULL,
  said TEXT NOT NULL,
  work_item_id TEXT NOT NULL,
  -- received | answered
  state TEXT NOT NULL,
  verdict TEXT,
  answer TEXT,
  received_at BIGINT NOT NULL,
  answered_at BIGINT,
  version BIGINT NOT NULL,
  change_seq BIGINT NOT NULL,
  row_salt BLOB NOT NULL,
  row_digest BLOB NOT NULL
);
CREATE UNIQUE INDEX portal_correction_number ON portal_correction (number);
CREATE INDEX portal_correction_item ON portal_correction (work_item_id);

-- The files that open data offers at present, made by a job out of the truth.
CREATE TABLE portal_dataset (
  id TEXT PRIMARY KEY,
  row_count BIGINT NOT NULL,
  built_at BIGINT NOT NULL,
  csv_file TEXT NOT NULL,
  csv_bytes BIGINT NOT NULL,
  csv_sha256 TEXT NOT NULL,
  json_file TEXT NOT NULL,
  json_bytes BIGINT NOT NULL,
  json_sha256 TEXT NOT NULL
);
