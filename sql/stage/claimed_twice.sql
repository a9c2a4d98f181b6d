-- Tracks and takes that two cells claim. Where the plan knows the take, its cell is right and only the other is held back.
WITH claims AS (
  SELECT 'track' AS kind, track_id AS thing, take_id, cell FROM stage.read_masters
  UNION
  SELECT 'take' AS kind, take_id AS thing, take_id, cell FROM stage.read_takes
  UNION
  SELECT 'take' AS kind, take_id AS thing, take_id, cell FROM stage.read_take_scores
),
contested AS (
  SELECT kind, thing, any_value(take_id) AS take_id, list_sort(list(cell)) AS claimants
  FROM claims
  GROUP BY kind, thing
  HAVING count(*) > 1
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
