-- An entry that waits for its checkpoint bears the node's seal: SQL alone makes none that is signed.
ALTER TABLE log_pending ADD COLUMN seal TEXT NOT NULL DEFAULT '';
