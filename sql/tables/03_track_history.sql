-- Validity intervals of every track's state, from the log. A remark or a verdict changes no state and makes no interval.
CREATE TABLE track_history (
  track_id   VARCHAR USING COMPRESSION uncompressed NOT NULL,
  cell       VARCHAR NOT NULL,
  state      VARCHAR NOT NULL,
  valid_from TIMESTAMPTZ NOT NULL,
  valid_to   TIMESTAMPTZ,
  is_current BOOLEAN NOT NULL,
  kind       VARCHAR NOT NULL,
  why        VARCHAR,
  actor      VARCHAR NOT NULL,
  event_id   VARCHAR USING COMPRESSION uncompressed
);
COMMENT ON TABLE track_history IS 'Every state that a track has been in, with the time it began and ended, and why. A track never logged (its run died in between) counts from its mastering.';
COMMENT ON COLUMN track_history.track_id IS 'the track';
COMMENT ON COLUMN track_history.cell IS 'its cell';
COMMENT ON COLUMN track_history.state IS 'active, superseded, replaced or retired';
COMMENT ON COLUMN track_history.valid_from IS 'when the state began';
COMMENT ON COLUMN track_history.valid_to IS 'when the next state began; NULL: it still holds';
COMMENT ON COLUMN track_history.is_current IS 'the state still holds';
COMMENT ON COLUMN track_history.kind IS 'what happened: kept, superseded, replaced, retired, restored, remastered, or mastered where nothing was logged';
COMMENT ON COLUMN track_history.why IS 'why, in words';
COMMENT ON COLUMN track_history.actor IS 'command, asset or person that did it';
COMMENT ON COLUMN track_history.event_id IS 'the event that began the state; NULL where nothing was logged';

INSERT INTO track_history BY NAME
WITH changes AS (
  SELECT
    track_id,
    cell,
    CASE WHEN kind IN ('superseded', 'replaced', 'retired') THEN kind ELSE 'active' END AS state,
    happened_at,
    kind,
    reason AS why,
    actor,
    event_id
  FROM events
  WHERE kind IN ('kept', 'superseded', 'replaced', 'retired', 'restored', 'remastered')
  UNION ALL BY NAME
  SELECT
    m.track_id,
    m.cell,
    m.status AS state,
    m.mastered_at AS happened_at,
    'mastered' AS kind,
    'no event was logged' AS why,
    'catalog' AS actor
  FROM stage.masters AS m
  ANTI JOIN (SELECT track_id FROM events WHERE kind IN ('kept', 'remastered')) AS e ON e.track_id = m.track_id
),
intervals AS (
  SELECT *, lead(happened_at) OVER (PARTITION BY track_id ORDER BY happened_at, event_id) AS valid_to
  FROM changes
)
SELECT
  track_id, cell, state, happened_at AS valid_from, valid_to, valid_to IS NULL AS is_current, kind, why, actor, event_id
FROM intervals;
