-- Each copy of the node asks which keys of persons are new since the last one.
CREATE INDEX data_key_made ON data_key (created_at);
