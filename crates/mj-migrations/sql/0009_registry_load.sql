-- Indexes in which every new mention or party lands at another place cost a large load more than all
-- the rest of its writing.

-- mentions are numbered under the lock of their counter, which keeps wordings apart
DROP INDEX mention_wording;

-- names under which a mention may be found by others, entered in order when a batch is linked;
-- registry_counter says up to which mention
CREATE TABLE mention_name (
  block BIGINT NOT NULL,
  mention_id TEXT NOT NULL
);
CREATE INDEX mention_name_block ON mention_name (block, mention_id);
INSERT INTO registry_counter (name, last) VALUES ('mention_name', 0);

-- by name are asked for only those that no code proves
DROP INDEX mention_block;
CREATE INDEX mention_block ON mention (block) WHERE tier <> 'code';

-- columns that are empty in nearly every row
DROP INDEX mention_regist_key;
CREATE INDEX mention_regist_key ON mention (regist_key) WHERE regist_key IS NOT NULL;
DROP INDEX party_merged_into;
CREATE INDEX party_merged_into ON party (merged_into) WHERE merged_into IS NOT NULL;
DROP INDEX party_name_hash;
CREATE INDEX party_name_hash ON party (name_hash) WHERE name_hash IS NOT NULL;
DROP INDEX party_regist_no;
CREATE INDEX party_regist_no ON party (regist_no) WHERE regist_no IS NOT NULL;
