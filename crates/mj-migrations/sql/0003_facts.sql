-- The manifest of the fact store (mj-facts). fact_commit, fact_segment and fact_mark are business
-- truth and written through the write door; the rest is bookkeeping of the store. Positions, segment
-- numbers and hot row numbers come from the locked fact_head alone. 0 or '' stands for "none".

CREATE TABLE fact_head (
    id BIGINT PRIMARY KEY,
    pos BIGINT NOT NULL,
    commit_id TEXT NOT NULL,
    next_segment BIGINT NOT NULL,
    next_hot BIGINT NOT NULL,
    hash_key BLOB NOT NULL
);

-- One row for each position. stored = rows that came to rest at this position; root = SM3 over the
-- rows that went to fact_hot, '' for the others.
CREATE TABLE fact_commit (
    id TEXT PRIMARY KEY,
    pos BIGINT NOT NULL UNIQUE,
    table_name TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    stored BIGINT NOT NULL,
    correct BIGINT NOT NULL,
    duplicate BIGINT NOT NULL,
    superseded BIGINT NOT NULL,
    root TEXT NOT NULL,
    committed_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    change_seq BIGINT NOT NULL,
    row_salt BLOB NOT NULL,
    row_digest BLOB NOT NULL
);
CREATE INDEX fact_commit_batch ON fact_commit (batch_id);
CREATE INDEX fact_commit_table ON fact_commit (table_name, pos);

CREATE TABLE fact_segment (
    id TEXT PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    table_name TEXT NOT NULL,
    format BIGINT NOT NULL,
    standard_version TEXT NOT NULL,
    pos BIGINT NOT NULL,
    kind TEXT NOT NULL,
    stored BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    sm3 TEXT NOT NULL,
    block_sm3 BLOB NOT NULL,
    min_date BIGINT NOT NULL,
    max_date BIGINT NOT NULL,
    retired_pos BIGINT NOT NULL,
    retired_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    change_seq BIGINT NOT NULL,
    row_salt BLOB NOT NULL,
    row_digest BLOB NOT NULL
);
CREATE INDEX fact_segment_table ON fact_segment (table_name, number);

-- Row numbers of one segment whose state changed at one position, packed (delta, varint).
CREATE TABLE fact_mark (
    id TEXT PRIMARY KEY,
    table_name TEXT NOT NULL,
    segment BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    kind TEXT NOT NULL,
    marked BIGINT NOT NULL,
    row_numbers BLOB NOT NULL,
    version BIGINT NOT NULL,
    change_seq BIGINT NOT NULL,
    row_salt BLOB NOT NULL,
    row_digest BLOB NOT NULL
);
CREATE INDEX fact_mark_table ON fact_mark (table_name, pos);

-- Few rows at a time. flips = positions at which the row was hidden or shown, as '12h15s'.
CREATE TABLE fact_hot (
    rid BIGINT PRIMARY KEY,
    table_name TEXT NOT NULL,
    pos BIGINT NOT NULL,
    to_pos BIGINT NOT NULL,
    flips TEXT NOT NULL,
    cd_source TEXT NOT NULL,
    cd_id TEXT NOT NULL,
    op TEXT NOT NULL,
    cd_time BIGINT NOT NULL,
    seen_time BIGINT NOT NULL,
    content BIGINT NOT NULL,
    business_key BLOB NOT NULL,
    mention BIGINT NOT NULL,
    event_date BIGINT NOT NULL,
    area TEXT NOT NULL,
    agency TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    row_no BIGINT NOT NULL,
    norm TEXT NOT NULL,
    row_values TEXT NOT NULL
);
CREATE INDEX fact_hot_table ON fact_hot (table_name, rid);

-- Loads under way: their files have no manifest row yet and must not be swept.
CREATE TABLE fact_stage (
    id TEXT PRIMARY KEY,
    table_name TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    node TEXT NOT NULL,
    lease_until BIGINT NOT NULL,
    first_segment BIGINT NOT NULL,
    last_segment BIGINT NOT NULL
);
