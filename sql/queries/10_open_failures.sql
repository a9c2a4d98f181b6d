-- purpose: What failed and is still open: takes that could not be made, and everything in quarantine?
-- param: zone text = NULL : only this zone
-- column: kind : failed_take or quarantine
-- column: thing : the take, or what is in quarantine
-- column: failure_class : kind of failure, or of finding
-- column: problem : what happened, in words
-- column: remedy : what to do next
WITH failures AS (
  SELECT
    'failed_take' AS kind,
    cell,
    take_id AS thing,
    failure_class,
    failure_message AS problem,
    'rerun the cell''s partition' AS remedy
  FROM takes
  WHERE status = 'failed' AND in_plan
  UNION ALL
  SELECT 'quarantine', cell, thing, finding, problem, remedy FROM quarantine
)
SELECT * FROM failures
WHERE $zone IS NULL OR split_part(cell, '.', 1) = $zone
ORDER BY kind, cell, thing, failure_class
