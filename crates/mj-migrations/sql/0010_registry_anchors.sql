-- A party with a credit code is found by the mentions that proved it; in the index of identities it
-- would land at another place each time.
DROP INDEX party_anchor;
CREATE UNIQUE INDEX party_anchor ON party (anchor) WHERE substr(anchor, 1, 5) <> 'uscc:';
