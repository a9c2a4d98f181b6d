-- purpose: What do listeners prefer, genre by genre? Blind comparison with Mureka is NULL until it is held.
-- param: zone text = NULL : only this zone
-- column: heard_tracks : tracks that the listener judged; the latest word counts
-- column: keep : tracks to keep
-- column: reject : tracks to reject
-- column: unsure : tracks that the listener is unsure of
-- column: keep_share : keep of heard_tracks, 0 to 1
-- column: preferred_over_mureka_share : share of blind pairs won; NULL until such pairs are heard
SELECT
  genre,
  listener,
  count(*) AS heard_tracks,
  count(*) FILTER (verdict = 'keep') AS keep,
  count(*) FILTER (verdict = 'reject') AS reject,
  count(*) FILTER (verdict = 'unsure') AS unsure,
  keep / heard_tracks AS keep_share,
  CAST(NULL AS DOUBLE) AS preferred_over_mureka_share
FROM verdicts
WHERE is_latest AND ($zone IS NULL OR zone = $zone)
GROUP BY genre, listener
ORDER BY genre, listener
