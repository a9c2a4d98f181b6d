-- The release in a row.
SELECT
  r.release_id,
  r.built_at,
  r.reason,
  r.previous_release_id,
  r.campaign,
  r.tracks,
  r.exportable_tracks,
  (SELECT count(*) FROM tracks WHERE deliverable) AS deliverable_tracks,
  (SELECT count(*) FROM tracks WHERE preview) AS preview_tracks,
  (SELECT coalesce(sum(exportable_h), 0) FROM coverage) AS exportable_h,
  (SELECT coalesce(sum(target_tracks), 0)::BIGINT FROM coverage) AS target_tracks,
  (SELECT coalesce(sum(planned_tracks), 0)::BIGINT FROM coverage) AS planned_tracks,
  r.takes,
  r.cells,
  r.held_back_cells,
  r.spend_usd
FROM releases AS r
JOIN stage.this_release AS t ON t.release_id = r.release_id
