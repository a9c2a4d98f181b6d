-- What may go to a venue is exportable, not preview, still kept, not held back.
SELECT t.track_id
FROM all_tracks AS t
JOIN cells AS c ON c.cell = t.cell
WHERE
  t.deliverable
  AND (
    NOT t.exportable OR t.preview IS DISTINCT FROM false OR t.status NOT IN ('active', 'superseded') OR c.held_back
    OR t.forbidden_reason IS NOT NULL OR len(t.gate_failures) > 0 OR len(t.fit_failures) > 0
  )
