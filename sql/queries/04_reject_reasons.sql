-- purpose: Why are takes rejected, and how often?
-- param: zone text = NULL : only this zone
-- param: genre text = NULL : only this genre
-- column: kind : technical, fit, or duplicate
-- column: gate : the gate that failed, or near_duplicate
-- column: takes : takes that it rejected; a take may fail several gates
-- column: share_of_scored : of all scored takes, 0 to 1
WITH scored AS (
  SELECT take_id, duplicate_of, fate
  FROM takes
  WHERE scored_at IS NOT NULL AND ($zone IS NULL OR zone = $zone) AND ($genre IS NULL OR genre = $genre)
),
reasons AS (
  SELECT kind, gate, count(*) AS takes
  FROM gates
  WHERE ($zone IS NULL OR zone = $zone) AND ($genre IS NULL OR genre = $genre)
  GROUP BY kind, gate
  UNION ALL
  SELECT 'duplicate', 'near_duplicate', count(*) AS takes FROM scored WHERE fate = 'duplicate' HAVING takes > 0
)
SELECT kind, gate, takes, takes / nullif((SELECT count(*) FROM scored), 0) AS share_of_scored
FROM reasons
ORDER BY takes DESC, kind, gate
