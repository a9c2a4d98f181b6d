-- The kept tracks of the cells that $cells matches, as the listening page shows them: cell by cell, the best first. Where
-- there are more than $most_tracks, every cell keeps its best ones, so that none is left out as long as there is room.
WITH placed AS (
  SELECT track_id, cell, row_number() OVER (PARTITION BY cell ORDER BY signal_score DESC NULLS LAST, track_id) AS place
  FROM tracks
  WHERE cell GLOB $cells
),
shown AS (
  SELECT * FROM placed ORDER BY place, cell LIMIT $most_tracks
)
SELECT
  track_id,
  master_id,
  title,
  cell,
  requested_bpm,
  measured_bpm,
  tempo_match,
  requested_key,
  measured_key,
  key_match,
  requested_duration_s,
  duration_s,
  integrated_loudness_lufs,
  true_peak_dbtp,
  signal_score,
  why,
  caption,
  preview,
  exportable,
  why_not_exportable,
  mp3_sha256 IS NOT NULL AS has_mp3
FROM shown
JOIN tracks USING (track_id, cell)
ORDER BY cell, place
