-- purpose: What would it take, in takes, GPU hours and money, to fill the gaps at the yield and cost measured so far?
-- param: until text = 'target' : target (the full catalog) or plan (this campaign)
-- column: missing_tracks : exportable tracks still missing
-- column: takes_per_kept_track : measured so far in this zone; NULL before the first kept track
-- column: forecast_takes : takes to make for the missing tracks
-- column: forecast_server_h : GPU hours at the measured seconds per take; NULL where none was measured
-- column: forecast_usd : money at the measured cost per take; NULL while a take has no price
WITH missing AS (
  SELECT
    zone,
    sum(CASE WHEN $until = 'plan' THEN gap_to_plan_tracks ELSE gap_to_target_tracks END)::BIGINT AS missing_tracks
  FROM coverage
  WHERE in_plan
  GROUP BY zone
),
measured AS (
  SELECT
    t.zone,
    count(*) / nullif(count(t.track_id) - count(f.track_id), 0) AS takes_per_kept_track,
    avg(t.server_s) AS take_s,
    CASE WHEN count(*) = count(t.cost_usd) THEN avg(t.cost_usd) END AS take_usd
  FROM takes AS t
  LEFT JOIN former_tracks AS f ON f.track_id = t.track_id
  WHERE t.status IN ('stored', 'pruned')
  GROUP BY t.zone
)
SELECT
  g.zone,
  g.missing_tracks,
  m.takes_per_kept_track,
  ceil(g.missing_tracks * m.takes_per_kept_track)::BIGINT AS forecast_takes,
  forecast_takes * m.take_s / 3600 AS forecast_server_h,
  forecast_takes * m.take_usd AS forecast_usd
FROM missing AS g
LEFT JOIN measured AS m ON m.zone = g.zone
ORDER BY g.zone
