-- purpose: Which packages contain a track? Without a track: how many packages each track is in.
-- param: track_id text = NULL : only this track
-- column: packages : packages that contain it
-- column: venues : venues whose packages contain it
-- column: current_venues : venues whose latest package contains it
SELECT
  t.track_id,
  count(*) AS packages,
  list_sort(list(DISTINCT t.venue)) AS venues,
  list_sort(list(DISTINCT t.venue) FILTER (p.is_current)) AS current_venues
FROM package_tracks AS t
JOIN packages AS p ON p.venue = t.venue AND p.package_id = t.package_id
WHERE $track_id IS NULL OR t.track_id = $track_id
GROUP BY t.track_id
ORDER BY packages DESC, t.track_id
