-- Whether any track or take is in the manifests more than once: a quick look before the thorough one.
SELECT
  (SELECT count(*) > count(DISTINCT track_id) FROM stage.read_masters)
  OR (SELECT count(*) > count(DISTINCT take_id) FROM stage.read_takes) AS doubtful
