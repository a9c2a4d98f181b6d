-- Every failed gate of a take is one row of gates.
SELECT a.failures_in_takes, b.rows_in_gates
FROM (
  SELECT coalesce(sum(coalesce(len(gate_failures), 0) + coalesce(len(fit_failures), 0)), 0) AS failures_in_takes FROM takes
) AS a, (SELECT count(*) AS rows_in_gates FROM gates) AS b
WHERE a.failures_in_takes <> b.rows_in_gates
