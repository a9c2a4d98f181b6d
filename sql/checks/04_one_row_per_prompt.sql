-- A prompt has one row.
SELECT prompt_id, count(*) AS rows_found FROM prompts GROUP BY prompt_id HAVING rows_found > 1
