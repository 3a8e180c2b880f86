-- What was kept to know an enrolment again was a plain digest of a body with a password in it, by which whoever knew
-- the rest could try passwords as fast as they hash. The row stays, so that its key makes nothing a second time; no
-- request fits it any more. Enrolments come from people who have not signed in; where somebody had, the moment tells.
UPDATE idempotency SET digest = ''
WHERE object_id IN (SELECT id FROM account)
  AND (actor = 'anonymous' OR EXISTS (SELECT 1 FROM enrolment e WHERE e.used_at > 0 AND e.used_at = idempotency.at));
