-- Whether any track or take is in the manifests more than once: a quick look before the thorough one. Hashes are counted,
-- which is cheaper than ids: one id twice is always seen, two ids of one hash only cost the thorough look.
SELECT
  (SELECT count(*) > count(DISTINCT hash(track_id)) FROM stage.read_masters)
  OR (SELECT count(*) > count(DISTINCT hash(take_id)) FROM stage.read_takes) AS doubtful
