-- purpose: Which genres are decided, go or no-go? Decisions are NULL until one is recorded; the evidence so far stands beside.
-- param: zone text = NULL : only this zone
-- column: kept_tracks : tracks kept
-- column: heard_tracks : tracks that somebody judged
-- column: rejected_tracks : tracks that somebody's latest word rejects
-- column: decision : go, no-go or partial; NULL until one is recorded
-- column: decided_at : when it was decided; NULL until then
-- column: decided_by : who decided it; NULL until then
WITH places AS (
  SELECT zone, genre FROM cells GROUP BY zone, genre
),
kept AS (
  SELECT zone, genre, count(*) AS kept_tracks FROM tracks GROUP BY zone, genre
),
heard AS (
  SELECT
    zone,
    genre,
    count(DISTINCT track_id) AS heard_tracks,
    count(DISTINCT track_id) FILTER (verdict = 'reject') AS rejected_tracks
  FROM verdicts
  WHERE is_latest
  GROUP BY zone, genre
)
SELECT
  p.zone,
  p.genre,
  coalesce(k.kept_tracks, 0) AS kept_tracks,
  coalesce(h.heard_tracks, 0) AS heard_tracks,
  coalesce(h.rejected_tracks, 0) AS rejected_tracks,
  CAST(NULL AS VARCHAR) AS decision,
  CAST(NULL AS TIMESTAMPTZ) AS decided_at,
  CAST(NULL AS VARCHAR) AS decided_by
FROM places AS p
LEFT JOIN kept AS k ON k.zone = p.zone AND k.genre = p.genre
LEFT JOIN heard AS h ON h.zone = p.zone AND h.genre = p.genre
WHERE $zone IS NULL OR p.zone = $zone
ORDER BY p.zone, p.genre
