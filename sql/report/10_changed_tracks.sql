-- The tracks that left or changed with this release, the first hundred.
SELECT c.track_id, c.cell, c.change, c.status_before, c.status_after, c.why
FROM release_changes AS c
JOIN stage.this_release AS t ON t.release_id = c.release_id
WHERE c.change <> 'added'
ORDER BY c.change DESC, c.cell, c.track_id
LIMIT 100
