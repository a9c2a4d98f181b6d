-- purpose: Of the takes that were made, how many passed and how many were kept, by genre, model and adapter?
-- param: zone text = NULL : only this zone
-- column: requested_model : DiT model asked for
-- column: takes : takes that were made, pruned ones included
-- column: scored_takes : of those, takes that were measured
-- column: passed_takes : of those, takes without a failed gate of either kind
-- column: kept_tracks : tracks made of them that are still kept
-- column: passed_share : passed_takes of scored_takes, 0 to 1
-- column: kept_share : kept_tracks of takes, 0 to 1
SELECT
  t.genre,
  t.engine,
  t.requested_model,
  t.adapter,
  count(*) AS takes,
  count(t.scored_at) AS scored_takes,
  count(*) FILTER (len(t.gate_failures) = 0 AND len(t.fit_failures) = 0) AS passed_takes,
  count(t.track_id) - count(f.track_id) AS kept_tracks,
  passed_takes / nullif(scored_takes, 0) AS passed_share,
  kept_tracks / count(*) AS kept_share
FROM takes AS t
LEFT JOIN former_tracks AS f ON f.track_id = t.track_id
WHERE t.status IN ('stored', 'pruned') AND ($zone IS NULL OR t.zone = $zone)
GROUP BY t.genre, t.engine, t.requested_model, t.adapter
ORDER BY t.genre, t.engine, t.requested_model, t.adapter
