-- purpose: What does a kept track cost, all its rejected takes included, against Mureka's price?
-- param: zone text = NULL : only this zone
-- column: takes : takes that were made, pruned ones included
-- column: unpriced_takes : of those, takes whose cost is not known
-- column: kept_tracks : tracks made of them that are still kept
-- column: spend_usd : cost of the takes; NULL while one has no price
-- column: usd_per_kept_track : spend_usd by kept_tracks; NULL while a cost is missing or nothing was kept
-- column: mureka_usd_per_track : Mureka's price, from gpu/prices.toml
-- column: times_cheaper : Mureka's price by usd_per_kept_track
WITH made AS (
  SELECT
    t.zone,
    t.genre,
    count(*) AS takes,
    count(*) FILTER (t.cost_usd IS NULL) AS unpriced_takes,
    sum(t.cost_usd) AS priced_usd,
    count(t.track_id) - count(f.track_id) AS kept_tracks
  FROM takes AS t
  LEFT JOIN former_tracks AS f ON f.track_id = t.track_id
  WHERE t.status IN ('stored', 'pruned') AND ($zone IS NULL OR t.zone = $zone)
  GROUP BY t.zone, t.genre
)
SELECT
  zone,
  genre,
  takes,
  unpriced_takes,
  kept_tracks,
  CASE WHEN unpriced_takes = 0 THEN priced_usd END AS spend_usd,
  spend_usd / nullif(kept_tracks, 0) AS usd_per_kept_track,
  c.high AS mureka_usd_per_track,
  mureka_usd_per_track / nullif(usd_per_kept_track, 0) AS times_cheaper
FROM made
LEFT JOIN claims AS c ON c.topic = 'track_price' AND c.subject = 'Mureka'
ORDER BY zone, genre
