-- The kept tracks as the listening page shows them, cell by cell, the best first.
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
FROM tracks
ORDER BY cell, signal_score DESC NULLS LAST, track_id
