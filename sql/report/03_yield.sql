-- Takes made, passed and kept, by genre.
SELECT
  genre,
  sum(takes)::BIGINT AS takes,
  sum(scored_takes)::BIGINT AS scored_takes,
  sum(passed_takes)::BIGINT AS passed_takes,
  sum(kept_tracks)::BIGINT AS kept_tracks,
  sum(passed_takes) / nullif(sum(scored_takes), 0) AS passed_share
FROM ask_yield
GROUP BY genre
ORDER BY genre
