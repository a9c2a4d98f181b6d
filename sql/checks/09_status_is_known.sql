-- A track is active, superseded, replaced or retired.
SELECT track_id, status FROM all_tracks WHERE status NOT IN ('active', 'superseded', 'replaced', 'retired')
