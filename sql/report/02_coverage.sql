-- Exportable tracks against the target, by zone, genre and daypart (moods together).
SELECT
  zone,
  genre,
  daypart,
  sum(exportable_tracks)::BIGINT AS exportable_tracks,
  sum(target_tracks)::BIGINT AS target_tracks,
  sum(planned_tracks)::BIGINT AS planned_tracks
FROM coverage
WHERE in_plan
GROUP BY zone, genre, daypart
ORDER BY zone, genre, daypart
