-- A track has one row.
SELECT track_id, count(*) AS rows_found FROM all_tracks GROUP BY track_id HAVING rows_found > 1
