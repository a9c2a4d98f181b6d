-- coverage: every cell against its target. What the report's heat map shows and the packages wait for.
CREATE VIEW coverage AS
WITH kept AS (
  SELECT
    cell,
    count(*) AS kept_tracks,
    count(*) FILTER (exportable) AS exportable_tracks,
    count(*) FILTER (deliverable) AS deliverable_tracks,
    coalesce(sum(duration_s) FILTER (exportable), 0) AS exportable_s
  FROM all_tracks
  WHERE status IN ('active', 'superseded')
  GROUP BY cell
),
made AS (
  SELECT cell, count(*) FILTER (in_plan AND status <> 'failed') AS finished_takes FROM takes GROUP BY cell
)
SELECT
  c.cell,
  c.zone,
  c.genre,
  c.daypart,
  c.mood,
  c.in_plan,
  c.held_back,
  c.target_tracks,
  c.planned_tracks,
  c.planned_takes,
  coalesce(m.finished_takes, 0) AS finished_takes,
  coalesce(k.kept_tracks, 0) AS kept_tracks,
  coalesce(k.exportable_tracks, 0) AS exportable_tracks,
  coalesce(k.deliverable_tracks, 0) AS deliverable_tracks,
  coalesce(k.exportable_s, 0) / 3600 AS exportable_h,
  greatest(c.target_tracks - coalesce(k.exportable_tracks, 0), 0) AS gap_to_target_tracks,
  greatest(c.planned_tracks - coalesce(k.exportable_tracks, 0), 0) AS gap_to_plan_tracks
FROM cells AS c
LEFT JOIN kept AS k ON k.cell = c.cell
LEFT JOIN made AS m ON m.cell = c.cell;
COMMENT ON VIEW coverage IS 'Every cell against its target: takes finished, tracks kept and exportable, hours, and what is missing.';
COMMENT ON COLUMN coverage.cell IS 'partition key: zone.genre.daypart.mood';
COMMENT ON COLUMN coverage.zone IS 'kind of place: lobby, retail, spa';
COMMENT ON COLUMN coverage.genre IS 'genre slug';
COMMENT ON COLUMN coverage.daypart IS 'part of the day: morning, midday, afternoon, evening, night ...';
COMMENT ON COLUMN coverage.mood IS 'mood slug';
COMMENT ON COLUMN coverage.in_plan IS 'the current plan holds the cell';
COMMENT ON COLUMN coverage.held_back IS 'something of the cell is in quarantine: its tracks are not exportable';
COMMENT ON COLUMN coverage.target_tracks IS 'tracks that the full catalog wants of this cell; NULL outside the plan';
COMMENT ON COLUMN coverage.planned_tracks IS 'tracks that the campaign wants; NULL outside the plan';
COMMENT ON COLUMN coverage.planned_takes IS 'takes that the current plan wants of the cell, top-ups included';
COMMENT ON COLUMN coverage.finished_takes IS 'takes of the current plan that are stored, or were pruned after a gate';
COMMENT ON COLUMN coverage.kept_tracks IS 'tracks kept: active or superseded';
COMMENT ON COLUMN coverage.exportable_tracks IS 'tracks that may be exported, preview ones included';
COMMENT ON COLUMN coverage.deliverable_tracks IS 'tracks that may go to a venue: exportable and not preview';
COMMENT ON COLUMN coverage.exportable_h IS 'hours of music that may be exported';
COMMENT ON COLUMN coverage.gap_to_target_tracks IS 'exportable tracks missing to the target; NULL outside the plan';
COMMENT ON COLUMN coverage.gap_to_plan_tracks IS 'exportable tracks missing to what the campaign wants; NULL outside the plan';
