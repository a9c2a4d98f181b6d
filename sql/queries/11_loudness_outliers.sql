-- purpose: Which tracks are off their loudness target or over their true-peak ceiling?
-- param: zone text = NULL : only this zone
-- param: tolerance_lu real = 0.5 : a track further from its target than this is an outlier, LU
-- column: deviation_lu : integrated loudness less the target, LU
-- column: over_ceiling_db : true peak above the ceiling, dB; NULL where it is not above
SELECT
  track_id,
  title,
  cell,
  target_lufs,
  integrated_loudness_lufs,
  integrated_loudness_lufs - target_lufs AS deviation_lu,
  loudness_shortfall_lu,
  true_peak_dbtp,
  ceiling_dbtp,
  CASE WHEN true_peak_dbtp > ceiling_dbtp THEN true_peak_dbtp - ceiling_dbtp END AS over_ceiling_db
FROM tracks
WHERE
  ($zone IS NULL OR zone = $zone)
  AND (abs(integrated_loudness_lufs - target_lufs) > $tolerance_lu OR true_peak_dbtp > ceiling_dbtp)
ORDER BY abs(integrated_loudness_lufs - target_lufs) DESC, track_id
