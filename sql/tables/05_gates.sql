-- One row per gate that a take failed.
CREATE TABLE gates (
  take_id   VARCHAR USING COMPRESSION uncompressed NOT NULL,
  prompt_id VARCHAR NOT NULL,
  cell      VARCHAR NOT NULL,
  zone      VARCHAR NOT NULL,
  genre     VARCHAR NOT NULL,
  daypart   VARCHAR NOT NULL,
  mood      VARCHAR NOT NULL,
  kind      VARCHAR NOT NULL,
  gate      VARCHAR NOT NULL,
  preview   BOOLEAN NOT NULL
);
COMMENT ON TABLE gates IS 'One row per gate that a take failed, technical defects and breaches of the zone''s policy alike.';
COMMENT ON COLUMN gates.take_id IS 'the take';
COMMENT ON COLUMN gates.prompt_id IS 'its prompt';
COMMENT ON COLUMN gates.cell IS 'its cell';
COMMENT ON COLUMN gates.zone IS 'kind of place: lobby, retail, spa';
COMMENT ON COLUMN gates.genre IS 'genre slug';
COMMENT ON COLUMN gates.daypart IS 'part of the day: morning, midday, afternoon, evening, night ...';
COMMENT ON COLUMN gates.mood IS 'mood slug';
COMMENT ON COLUMN gates.kind IS 'technical (rejects the take anywhere) or fit (rejects it for this zone)';
COMMENT ON COLUMN gates.gate IS 'the gate that failed, e.g. clipping or wrong_tempo';
COMMENT ON COLUMN gates.preview IS 'made by the embedded preview engine: never deliverable';

INSERT INTO gates BY NAME
SELECT take_id, prompt_id, cell, zone, genre, daypart, mood, 'technical' AS kind, unnest(gate_failures) AS gate, preview
FROM takes
WHERE len(gate_failures) > 0
UNION ALL BY NAME
SELECT take_id, prompt_id, cell, zone, genre, daypart, mood, 'fit' AS kind, unnest(fit_failures) AS gate, preview
FROM takes
WHERE len(fit_failures) > 0;
