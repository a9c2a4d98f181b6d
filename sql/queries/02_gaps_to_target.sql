-- purpose: Which cells lack tracks, how many, and what stands in the way?
-- param: zone text = NULL : only this zone
-- column: obstacle : held back, not generated yet, partly generated, or too few takes passed
SELECT
  zone,
  genre,
  daypart,
  mood,
  cell,
  target_tracks,
  planned_tracks,
  exportable_tracks,
  gap_to_target_tracks,
  gap_to_plan_tracks,
  CASE
    WHEN held_back THEN 'held back'
    WHEN finished_takes = 0 THEN 'not generated yet'
    WHEN finished_takes < planned_takes THEN 'partly generated'
    WHEN gap_to_plan_tracks > 0 THEN 'too few takes passed'
    ELSE 'not planned by this campaign'
  END AS obstacle
FROM coverage
WHERE gap_to_target_tracks > 0 AND ($zone IS NULL OR zone = $zone)
ORDER BY gap_to_target_tracks DESC, cell
