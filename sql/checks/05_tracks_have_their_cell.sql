-- Every track's cell is a cell of the catalog.
SELECT track_id, cell FROM all_tracks ANTI JOIN cells USING (cell)
