-- The append-only log, as it is.
CREATE TABLE events (
  event_id     VARCHAR USING COMPRESSION uncompressed NOT NULL,
  happened_at  TIMESTAMPTZ NOT NULL,
  kind         VARCHAR NOT NULL,
  track_id     VARCHAR USING COMPRESSION uncompressed NOT NULL,
  take_id      VARCHAR USING COMPRESSION uncompressed NOT NULL,
  prompt_id    VARCHAR USING COMPRESSION uncompressed NOT NULL,
  cell         VARCHAR NOT NULL,
  reason       VARCHAR,
  actor        VARCHAR NOT NULL,
  details_json VARCHAR
);
COMMENT ON TABLE events IS 'The append-only log of what happened to tracks. track_history is made from it.';
COMMENT ON COLUMN events.event_id IS 'unique id, in order of time';
COMMENT ON COLUMN events.happened_at IS 'when';
COMMENT ON COLUMN events.kind IS 'kept, superseded, replaced, retired, restored, remastered or verdict';
COMMENT ON COLUMN events.track_id IS 'the track';
COMMENT ON COLUMN events.take_id IS 'its take';
COMMENT ON COLUMN events.prompt_id IS 'its prompt';
COMMENT ON COLUMN events.cell IS 'its cell';
COMMENT ON COLUMN events.reason IS 'why, in words';
COMMENT ON COLUMN events.actor IS 'command, asset or person that did it';
COMMENT ON COLUMN events.details_json IS 'further facts as JSON';

INSERT INTO events BY NAME
SELECT * FROM stage.events;
