-- Which mentions are called alike is kept in memory beside their numbers (mj-registry/src/mentions.rs);
-- a table of it cost a large load as much as linking itself.
DROP TABLE mention_name;
DELETE FROM registry_counter WHERE name = 'mention_name';
