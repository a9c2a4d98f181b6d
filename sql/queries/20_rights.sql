-- purpose: Which tracks come from which model weights, and whose rights are unknown?
-- param: model text = NULL : only this model
-- param: rights_status text = NULL : only this status: known, unknown or preview
-- column: tracks : kept tracks
-- column: exportable_tracks : of those, tracks that may be exported
-- column: deliverable_tracks : of those, tracks that may go to a venue
-- column: first_track_id : one of them, to look at
SELECT
  engine,
  model,
  adapter,
  model_weights_licence,
  rights_status,
  count(*) AS tracks,
  count(*) FILTER (exportable) AS exportable_tracks,
  count(*) FILTER (deliverable) AS deliverable_tracks,
  min(track_id) AS first_track_id
FROM tracks
WHERE ($model IS NULL OR model = $model) AND ($rights_status IS NULL OR rights_status = $rights_status)
GROUP BY engine, model, adapter, model_weights_licence, rights_status
ORDER BY engine, model, adapter, rights_status
