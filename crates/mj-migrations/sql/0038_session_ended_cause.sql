-- Why a session ended before its time: until now only another sign-in was kept, to be told.
ALTER TABLE session_ended ADD COLUMN cause TEXT NOT NULL DEFAULT 'elsewhere';
