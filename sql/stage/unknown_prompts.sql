-- Prompts that takes or tracks refer to and the plan does not hold any more, with the plan that the takes were made for.
SELECT used.prompt_id, max(used.plan_id) AS plan_id
FROM (
  SELECT prompt_id, plan_id FROM stage.takes
  UNION ALL
  SELECT prompt_id, NULL AS plan_id FROM stage.masters
) AS used
ANTI JOIN stage.planned_prompts AS p ON p.prompt_id = used.prompt_id
GROUP BY used.prompt_id
ORDER BY used.prompt_id;
