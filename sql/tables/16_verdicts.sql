-- What people said about tracks on the listening page, from the log.
CREATE TABLE verdicts (
  track_id  VARCHAR NOT NULL,
  cell      VARCHAR NOT NULL,
  zone      VARCHAR NOT NULL,
  genre     VARCHAR NOT NULL,
  daypart   VARCHAR NOT NULL,
  mood      VARCHAR NOT NULL,
  listener  VARCHAR NOT NULL,
  verdict   VARCHAR NOT NULL,
  reason    VARCHAR,
  judged_at TIMESTAMPTZ NOT NULL,
  is_latest BOOLEAN NOT NULL
);
COMMENT ON TABLE verdicts IS 'What people said about tracks on the listening page: one row per track, listener and time.';
COMMENT ON COLUMN verdicts.track_id IS 'the track';
COMMENT ON COLUMN verdicts.cell IS 'its cell';
COMMENT ON COLUMN verdicts.zone IS 'kind of place: lobby, retail, spa';
COMMENT ON COLUMN verdicts.genre IS 'genre slug';
COMMENT ON COLUMN verdicts.daypart IS 'part of the day: morning, midday, afternoon, evening, night ...';
COMMENT ON COLUMN verdicts.mood IS 'mood slug';
COMMENT ON COLUMN verdicts.listener IS 'who listened';
COMMENT ON COLUMN verdicts.verdict IS 'keep, reject or unsure';
COMMENT ON COLUMN verdicts.reason IS 'why, in the listener''s words';
COMMENT ON COLUMN verdicts.judged_at IS 'when it was said';
COMMENT ON COLUMN verdicts.is_latest IS 'the listener''s latest word on this track';

INSERT INTO verdicts BY NAME
WITH said AS (
  SELECT
    event_id,
    track_id,
    cell,
    split_part(cell, '.', 1) AS zone,
    split_part(cell, '.', 2) AS genre,
    split_part(cell, '.', 3) AS daypart,
    split_part(cell, '.', 4) AS mood,
    coalesce(json_extract_string(details_json, '$.listener'), actor) AS listener,
    json_extract_string(details_json, '$.verdict') AS verdict,
    reason,
    coalesce(try_cast(json_extract_string(details_json, '$.judged_at') AS TIMESTAMPTZ), happened_at) AS judged_at
  FROM events
  WHERE kind = 'verdict' AND json_valid(details_json)
)
SELECT
  * EXCLUDE (event_id),
  row_number() OVER (PARTITION BY track_id, listener ORDER BY judged_at DESC, event_id DESC) = 1 AS is_latest
FROM said
WHERE verdict IS NOT NULL
ORDER BY judged_at, event_id;
