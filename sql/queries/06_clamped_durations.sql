-- purpose: Which servers deliver less music than was asked for?
-- param: tolerance_s real = 2.0 : a take shorter than asked by more than this counts as clamped, in seconds
-- column: takes : takes whose length is known
-- column: clamped_takes : takes that the server said it clamped, or that came out shorter than the tolerance allows
-- column: clamped_share : of takes, 0 to 1
-- column: longest_missing_s : most that one take lacked, seconds
-- column: shortest_clamped_s : length of the shortest clamped take, seconds
SELECT
  server,
  gpu,
  requested_model,
  count(*) AS takes,
  count(*) FILTER (duration_clamped OR requested_duration_s - duration_s > $tolerance_s) AS clamped_takes,
  clamped_takes / count(*) AS clamped_share,
  max(requested_duration_s - duration_s) FILTER (duration_clamped OR requested_duration_s - duration_s > $tolerance_s)
    AS longest_missing_s,
  min(duration_s) FILTER (duration_clamped OR requested_duration_s - duration_s > $tolerance_s) AS shortest_clamped_s
FROM takes
WHERE duration_s IS NOT NULL
GROUP BY server, gpu, requested_model
ORDER BY clamped_takes DESC, server, gpu, requested_model
