-- Tempo of the kept tracks, asked for and measured, in steps of 5 beats per minute.
SELECT 'requested' AS tempo, round(requested_bpm / 5) * 5 AS bpm, count(*) AS tracks
FROM tracks
WHERE requested_bpm IS NOT NULL
GROUP BY ALL
UNION ALL
SELECT 'measured' AS tempo, round(measured_bpm / 5) * 5 AS bpm, count(*) AS tracks
FROM tracks
WHERE measured_bpm IS NOT NULL
GROUP BY ALL
ORDER BY ALL
