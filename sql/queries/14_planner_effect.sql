-- purpose: What does the planning language model change: acceptance, score, tempo, key, time?
-- param: zone text = NULL : only this zone
-- param: min_tempo_match real = 0.7 : from here on the requested tempo counts as the pulse
-- column: takes : takes that were measured
-- column: accepted_share : takes without a failed gate of either kind, 0 to 1
-- column: mean_signal_score : mean score of the accepted takes, 0 to 100
-- column: tempo_hit_share : takes that have the tempo asked for, of those measured, 0 to 1
-- column: key_exact_share : takes in the key asked for, of those compared, 0 to 1
-- column: mean_take_s : mean seconds on the server per take
SELECT
  engine,
  coalesce(lm_model, 'none') AS lm_model,
  count(*) AS takes,
  count(*) FILTER (len(gate_failures) = 0 AND len(fit_failures) = 0) / count(*) AS accepted_share,
  avg(signal_score) FILTER (len(gate_failures) = 0 AND len(fit_failures) = 0) AS mean_signal_score,
  count(*) FILTER (tempo_match >= $min_tempo_match) / nullif(count(tempo_match), 0) AS tempo_hit_share,
  count(*) FILTER (key_match = 'exact') / nullif(count(key_match), 0) AS key_exact_share,
  avg(server_s) AS mean_take_s
FROM takes
WHERE scored_at IS NOT NULL AND ($zone IS NULL OR zone = $zone)
GROUP BY engine, coalesce(takes.lm_model, 'none')
ORDER BY engine, lm_model
