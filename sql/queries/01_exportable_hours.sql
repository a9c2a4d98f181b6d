-- purpose: How many hours of music may be exported, cell by cell?
-- param: zone text = NULL : only this zone
SELECT zone, genre, daypart, mood, cell, exportable_tracks, exportable_h, deliverable_tracks
FROM coverage
WHERE $zone IS NULL OR zone = $zone
ORDER BY zone, genre, daypart, mood
