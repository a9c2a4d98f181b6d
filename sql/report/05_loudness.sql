-- Integrated loudness of the kept masters in steps of 0.25 LU.
SELECT round(integrated_loudness_lufs * 4) / 4 AS integrated_loudness_lufs, count(*) AS tracks
FROM tracks
GROUP BY ALL
ORDER BY ALL
