-- A take has one row.
SELECT take_id, count(*) AS rows_found FROM takes GROUP BY take_id HAVING rows_found > 1
