-- purpose: Which takes are near-duplicates of another take?
-- param: zone text = NULL : only this zone
-- column: other_cell : the cell of the take that it resembles
-- column: other_track_id : the track made of the take that it resembles; NULL where none was
SELECT t.take_id, t.cell, t.track_id, t.fate, t.duplicate_of, o.cell AS other_cell, o.track_id AS other_track_id
FROM (SELECT * FROM takes WHERE duplicate_of IS NOT NULL AND ($zone IS NULL OR zone = $zone)) AS t
LEFT JOIN takes AS o ON o.take_id = t.duplicate_of
ORDER BY t.cell, t.take_id
