-- purpose: What changed between two releases: which tracks came, left or changed, and why?
-- param: from_release text = NULL : the earlier release; the one before to_release when not given
-- param: to_release text = NULL : the later release; this one when not given
-- column: change : added, removed or changed, from the first to the second release
-- column: status_before : status in the earlier release; NULL where it was not there
-- column: status_after : status in the later release; NULL where it is gone
-- column: master_id_before : master in the earlier release
-- column: master_id_after : master in the later release
-- column: exportable_before : whether it could be exported
-- column: exportable_after : whether it can be exported now
-- column: why : why it left or may not be exported, in words
WITH bounds AS (
  SELECT
    coalesce($to_release, (SELECT max(release_id) FROM releases)) AS last_id,
    coalesce(
      $from_release,
      (
        SELECT coalesce(previous_release_id, '')
        FROM releases
        WHERE release_id = coalesce($to_release, (SELECT max(release_id) FROM releases))
      )
    ) AS first_id
),
folded AS (
  SELECT
    track_id,
    any_value(cell) AS cell,
    arg_min(coalesce(status_before, ''), release_id) AS was,
    arg_max(coalesce(status_after, ''), release_id) AS became,
    arg_min(coalesce(master_id_before, ''), release_id) AS master_was,
    arg_max(coalesce(master_id_after, ''), release_id) AS master_became,
    arg_min(coalesce(exportable_before, false), release_id) AS exportable_was,
    arg_max(coalesce(exportable_after, false), release_id) AS exportable_became,
    arg_max(coalesce(why, ''), release_id) AS reason
  FROM release_changes, bounds
  WHERE release_id > first_id AND release_id <= last_id
  GROUP BY track_id
)
SELECT
  track_id,
  cell,
  CASE WHEN was = '' THEN 'added' WHEN became = '' THEN 'removed' ELSE 'changed' END AS change,
  nullif(was, '') AS status_before,
  nullif(became, '') AS status_after,
  nullif(master_was, '') AS master_id_before,
  nullif(master_became, '') AS master_id_after,
  CASE WHEN was <> '' THEN exportable_was END AS exportable_before,
  CASE WHEN became <> '' THEN exportable_became END AS exportable_after,
  nullif(reason, '') AS why
FROM folded
WHERE (was, master_was, exportable_was) <> (became, master_became, exportable_became)
ORDER BY change, cell, track_id
