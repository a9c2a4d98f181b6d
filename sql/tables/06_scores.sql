-- One row per take and scorer that gave a number. A scorer that is not configured has no rows.
CREATE TABLE scores (
  take_id VARCHAR USING COMPRESSION uncompressed NOT NULL,
  cell    VARCHAR NOT NULL,
  scorer  VARCHAR NOT NULL,
  value   DOUBLE NOT NULL,
  scale   VARCHAR NOT NULL,
  version VARCHAR
);
COMMENT ON TABLE scores IS 'One row per take and scorer that gave a number.';
COMMENT ON COLUMN scores.take_id IS 'the take';
COMMENT ON COLUMN scores.cell IS 'its cell';
COMMENT ON COLUMN scores.scorer IS 'signal, audiobox_cu, audiobox_pq or text_alignment';
COMMENT ON COLUMN scores.value IS 'the score on the scorer''s own scale';
COMMENT ON COLUMN scores.scale IS 'the scorer''s scale';
COMMENT ON COLUMN scores.version IS 'version of the scorer; NULL where it names none';

INSERT INTO scores BY NAME
SELECT take_id, cell, 'signal' AS scorer, signal_score AS value, '0 to 100' AS scale, score_version AS version
FROM takes
WHERE signal_score IS NOT NULL
UNION ALL BY NAME
SELECT take_id, cell, 'audiobox_cu' AS scorer, audiobox_cu AS value, '1 to 10' AS scale, NULL AS version
FROM takes
WHERE audiobox_cu IS NOT NULL
UNION ALL BY NAME
SELECT take_id, cell, 'audiobox_pq' AS scorer, audiobox_pq AS value, '1 to 10' AS scale, NULL AS version
FROM takes
WHERE audiobox_pq IS NOT NULL
UNION ALL BY NAME
SELECT take_id, cell, 'text_alignment' AS scorer, text_alignment AS value, '-1 to 1' AS scale, NULL AS version
FROM takes
WHERE text_alignment IS NOT NULL;
