-- How many rows every table of business truth holds, kept by the write door in the transaction that
-- changes them (and of the act journal itself). `doctor` counts and compares: a row taken away by hand
-- is missed wherever it lay.
CREATE TABLE truth_count (
  table_name TEXT PRIMARY KEY,
  row_count BIGINT NOT NULL
);
-- what was there before this was counted
INSERT INTO truth_count (table_name, row_count) SELECT 'account', COUNT(*) FROM account;
INSERT INTO truth_count (table_name, row_count) SELECT 'agency', COUNT(*) FROM agency;
INSERT INTO truth_count (table_name, row_count) SELECT 'blob', COUNT(*) FROM blob;
INSERT INTO truth_count (table_name, row_count) SELECT 'catalog_implementation', COUNT(*) FROM catalog_implementation;
INSERT INTO truth_count (table_name, row_count) SELECT 'catalog_item', COUNT(*) FROM catalog_item;
INSERT INTO truth_count (table_name, row_count) SELECT 'catalog_mapping', COUNT(*) FROM catalog_mapping;
INSERT INTO truth_count (table_name, row_count) SELECT 'catalog_source', COUNT(*) FROM catalog_source;
INSERT INTO truth_count (table_name, row_count) SELECT 'credential', COUNT(*) FROM credential;
INSERT INTO truth_count (table_name, row_count) SELECT 'fact_commit', COUNT(*) FROM fact_commit;
INSERT INTO truth_count (table_name, row_count) SELECT 'fact_mark', COUNT(*) FROM fact_mark;
INSERT INTO truth_count (table_name, row_count) SELECT 'fact_segment', COUNT(*) FROM fact_segment;
INSERT INTO truth_count (table_name, row_count) SELECT 'hub_batch', COUNT(*) FROM hub_batch;
INSERT INTO truth_count (table_name, row_count) SELECT 'hub_source', COUNT(*) FROM hub_source;
INSERT INTO truth_count (table_name, row_count) SELECT 'mention', COUNT(*) FROM mention;
INSERT INTO truth_count (table_name, row_count) SELECT 'officer', COUNT(*) FROM officer;
INSERT INTO truth_count (table_name, row_count) SELECT 'officer_certificate', COUNT(*) FROM officer_certificate;
INSERT INTO truth_count (table_name, row_count) SELECT 'officer_source', COUNT(*) FROM officer_source;
INSERT INTO truth_count (table_name, row_count) SELECT 'party', COUNT(*) FROM party;
INSERT INTO truth_count (table_name, row_count) SELECT 'party_merge', COUNT(*) FROM party_merge;
INSERT INTO truth_count (table_name, row_count) SELECT 'party_pair', COUNT(*) FROM party_pair;
INSERT INTO truth_count (table_name, row_count) SELECT 'party_source', COUNT(*) FROM party_source;
INSERT INTO truth_count (table_name, row_count) SELECT 'party_version', COUNT(*) FROM party_version;
INSERT INTO truth_count (table_name, row_count) SELECT 'role_grant', COUNT(*) FROM role_grant;
INSERT INTO truth_count (table_name, row_count) SELECT 'source_token', COUNT(*) FROM source_token;
INSERT INTO truth_count (table_name, row_count) SELECT 'work_item', COUNT(*) FROM work_item;
INSERT INTO truth_count (table_name, row_count) SELECT 'work_item_step', COUNT(*) FROM work_item_step;
INSERT INTO truth_count (table_name, row_count) SELECT 'act_journal', COUNT(*) FROM act_journal;
