-- How many tracks changed with this release.
SELECT c.change, count(*) AS tracks
FROM release_changes AS c
JOIN stage.this_release AS t ON t.release_id = c.release_id
GROUP BY c.change
ORDER BY c.change
