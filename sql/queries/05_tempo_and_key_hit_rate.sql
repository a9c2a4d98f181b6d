-- purpose: How often does a take have the tempo and the key that were asked for?
-- param: zone text = NULL : only this zone
-- param: min_tempo_match real = 0.7 : from here on the requested tempo counts as the pulse
-- column: takes : takes whose tempo or key was measured
-- column: tempo_measured_takes : of those, takes with a tempo match
-- column: tempo_hits : takes whose tempo match reaches the parameter
-- column: tempo_hit_share : of tempo_measured_takes, 0 to 1
-- column: key_measured_takes : takes whose key was compared
-- column: key_exact : takes in the key asked for
-- column: key_related : takes in its relative key
-- column: key_exact_share : key_exact of key_measured_takes, 0 to 1
-- column: key_compatible_share : exact or relative, of key_measured_takes, 0 to 1
SELECT
  genre,
  engine,
  requested_model,
  count(*) AS takes,
  count(tempo_match) AS tempo_measured_takes,
  count(*) FILTER (tempo_match >= $min_tempo_match) AS tempo_hits,
  tempo_hits / nullif(tempo_measured_takes, 0) AS tempo_hit_share,
  count(key_match) AS key_measured_takes,
  count(*) FILTER (key_match = 'exact') AS key_exact,
  count(*) FILTER (key_match = 'relative') AS key_related,
  key_exact / nullif(key_measured_takes, 0) AS key_exact_share,
  (key_exact + key_related) / nullif(key_measured_takes, 0) AS key_compatible_share
FROM takes
WHERE (tempo_match IS NOT NULL OR key_match IS NOT NULL) AND ($zone IS NULL OR zone = $zone)
GROUP BY genre, engine, requested_model
ORDER BY genre, engine, requested_model
