-- Tracks and takes that two cells claim. Where the plan knows the take, its cell is right and only the other is held back.
WITH claims AS (
  SELECT 'track' AS kind, track_id AS thing, take_id, cell
  FROM stage.read_masters
  SEMI JOIN (SELECT track_id FROM stage.read_masters GROUP BY track_id HAVING count(*) > 1) USING (track_id)
  UNION ALL
  SELECT 'take' AS kind, take_id AS thing, take_id, cell
  FROM stage.read_takes
  SEMI JOIN (SELECT take_id FROM stage.read_takes GROUP BY take_id HAVING count(*) > 1) USING (take_id)
),
contested AS (
  SELECT kind, thing, any_value(take_id) AS take_id, list_sort(list(DISTINCT cell)) AS claimants
  FROM claims
  GROUP BY kind, thing
  HAVING count(DISTINCT cell) > 1
),
claimed AS (
  SELECT kind, thing, take_id, claimants, unnest(claimants) AS cell FROM contested
)
SELECT
  c.kind,
  'claimed_twice' AS finding,
  c.cell,
  c.thing,
  'cells ' || array_to_string(c.claimants, ' and ') || ' claim this ' || c.kind
    || coalesce('; the plan gives it to ' || p.cell, '; the plan does not know it') AS problem,
  'rerun the cell''s partition; if it stays, delete its manifests and rerun: its stored takes are not made again' AS remedy
FROM claimed AS c
LEFT JOIN stage.planned_takes AS p ON p.take_id = c.take_id
WHERE p.cell IS DISTINCT FROM c.cell
ORDER BY c.kind, c.thing, c.cell;
