-- purpose: Which model variant makes takes that are accepted?
-- param: zone text = NULL : only this zone
-- column: takes : takes that were measured
-- column: accepted_takes : of those, takes without a failed gate of either kind
-- column: accepted_share : of takes, 0 to 1
-- column: kept_takes : takes that became tracks, retired ones included
-- column: mean_signal_score : mean score of the accepted takes, 0 to 100
SELECT
  engine,
  requested_model,
  adapter,
  score_version,
  count(*) AS takes,
  count(*) FILTER (len(gate_failures) = 0 AND len(fit_failures) = 0) AS accepted_takes,
  accepted_takes / count(*) AS accepted_share,
  count(track_id) AS kept_takes,
  avg(signal_score) FILTER (len(gate_failures) = 0 AND len(fit_failures) = 0) AS mean_signal_score
FROM takes
WHERE scored_at IS NOT NULL AND ($zone IS NULL OR zone = $zone)
GROUP BY engine, requested_model, adapter, score_version
ORDER BY engine, requested_model, adapter, score_version
