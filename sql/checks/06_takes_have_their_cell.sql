-- Every take's cell is a cell of the catalog.
SELECT take_id, cell FROM takes ANTI JOIN cells USING (cell)
