-- spend: what generation cost, by day and campaign, from the runs (failures and lost work included).
CREATE VIEW spend AS
SELECT
  (started_at AT TIME ZONE 'UTC')::DATE AS day_utc,
  campaign,
  count(*) AS runs,
  count(*) FILTER (cost_usd IS NULL) AS unpriced_runs,
  sum(takes_stored)::BIGINT AS takes_stored,
  sum(takes_failed)::BIGINT AS takes_failed,
  sum(submissions)::BIGINT AS submissions,
  sum(server_s) / 3600 AS server_h,
  sum(cost_usd) AS priced_usd
FROM runs
GROUP BY ALL;
COMMENT ON VIEW spend IS 'What generation used and cost by day and campaign, failed and repeated work included.';
COMMENT ON COLUMN spend.day_utc IS 'day on which the runs started, UTC';
COMMENT ON COLUMN spend.campaign IS 'the plan''s campaign';
COMMENT ON COLUMN spend.runs IS 'runs of cells';
COMMENT ON COLUMN spend.unpriced_runs IS 'runs whose cost is not known: priced_usd leaves them out';
COMMENT ON COLUMN spend.takes_stored IS 'takes stored';
COMMENT ON COLUMN spend.takes_failed IS 'takes that could not be made';
COMMENT ON COLUMN spend.submissions IS 'jobs submitted';
COMMENT ON COLUMN spend.server_h IS 'GPU hours used, as seen by polling';
COMMENT ON COLUMN spend.priced_usd IS 'cost of the runs that have a price; NULL where none has';
