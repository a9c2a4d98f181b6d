-- A cell has one row.
SELECT cell, count(*) AS rows_found FROM cells GROUP BY cell HAVING rows_found > 1
