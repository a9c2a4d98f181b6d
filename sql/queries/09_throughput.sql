-- purpose: How fast are takes made, GPU by GPU, against what was claimed?
-- param: engine text = NULL : only this engine, ace-step or preview
-- column: takes : takes whose time on the server was seen
-- column: mean_take_s : mean seconds on the server per take
-- column: takes_per_server_h : takes per hour of a busy server
-- column: music_s_per_server_s : seconds of music made per second on the server
-- column: claimed_low_s : claimed seconds per song, lower end; NULL where only a bound or nothing was claimed
-- column: claimed_high_s : claimed seconds per song, upper end; NULL where nothing was claimed for this GPU
-- column: times_claim : mean_take_s by claimed_high_s; above 1 is slower than claimed
WITH measured AS (
  SELECT
    gpu,
    engine,
    requested_model,
    count(*) AS takes,
    avg(server_s) AS mean_take_s,
    sum(duration_s) / nullif(sum(server_s), 0) AS music_s_per_server_s
  FROM takes
  WHERE server_s IS NOT NULL AND status IN ('stored', 'pruned') AND ($engine IS NULL OR engine = $engine)
  GROUP BY gpu, engine, requested_model
)
SELECT
  m.gpu,
  m.engine,
  m.requested_model,
  m.takes,
  m.mean_take_s,
  3600 / nullif(m.mean_take_s, 0) AS takes_per_server_h,
  m.music_s_per_server_s,
  c.low AS claimed_low_s,
  c.high AS claimed_high_s,
  m.mean_take_s / c.high AS times_claim
FROM measured AS m
LEFT JOIN claims AS c ON c.topic = 'take_seconds' AND m.engine <> 'preview' AND contains(lower(m.gpu), lower(c.subject))
ORDER BY m.gpu, m.engine, m.requested_model
