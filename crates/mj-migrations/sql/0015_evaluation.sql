-- Evaluation: who used the platform on which day; the indicator 用户活跃比例 needs no more than the day.

-- bookkeeping
CREATE TABLE account_seen (
  day TEXT NOT NULL,
  account_id TEXT NOT NULL,
  PRIMARY KEY (day, account_id)
);
