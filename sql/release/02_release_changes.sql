-- What changed with every release against the one before it, so that any two can be compared exactly.
-- The rows of earlier releases are carried over by the builder.
CREATE TABLE release_changes (
  release_id        VARCHAR NOT NULL,
  track_id          VARCHAR USING COMPRESSION uncompressed NOT NULL,
  cell              VARCHAR NOT NULL,
  change            VARCHAR NOT NULL,
  status_before     VARCHAR,
  status_after      VARCHAR,
  master_id_before  VARCHAR USING COMPRESSION uncompressed,
  master_id_after   VARCHAR USING COMPRESSION uncompressed,
  exportable_before BOOLEAN,
  exportable_after  BOOLEAN,
  why               VARCHAR
);
COMMENT ON TABLE release_changes IS 'One row per track and release that changed it: came, left, or changed its status, its master or whether it may be exported.';
COMMENT ON COLUMN release_changes.release_id IS 'the release that brought the change';
COMMENT ON COLUMN release_changes.track_id IS 'the track';
COMMENT ON COLUMN release_changes.cell IS 'its cell';
COMMENT ON COLUMN release_changes.change IS 'added, removed or changed';
COMMENT ON COLUMN release_changes.status_before IS 'status in the release before; NULL where it was not there';
COMMENT ON COLUMN release_changes.status_after IS 'status in this release; NULL where it is gone';
COMMENT ON COLUMN release_changes.master_id_before IS 'master in the release before';
COMMENT ON COLUMN release_changes.master_id_after IS 'master in this release';
COMMENT ON COLUMN release_changes.exportable_before IS 'whether it could be exported before';
COMMENT ON COLUMN release_changes.exportable_after IS 'whether it can be exported now';
COMMENT ON COLUMN release_changes.why IS 'why it left or may not be exported, in words';

INSERT INTO release_changes BY NAME
WITH before AS (
  SELECT track_id, cell, status, master_id, exportable FROM stage.earlier_tracks
),
after AS (
  SELECT track_id, cell, status, master_id, exportable, coalesce(status_reason, why_not_exportable) AS why
  FROM all_tracks
  WHERE status IN ('active', 'superseded')
),
gone AS (
  SELECT track_id, coalesce(status_reason, why_not_exportable) AS why FROM all_tracks WHERE status NOT IN ('active', 'superseded')
)
SELECT
  (SELECT release_id FROM stage.this_release) AS release_id,
  coalesce(a.track_id, b.track_id) AS track_id,
  coalesce(a.cell, b.cell) AS cell,
  CASE WHEN b.track_id IS NULL THEN 'added' WHEN a.track_id IS NULL THEN 'removed' ELSE 'changed' END AS change,
  b.status AS status_before,
  a.status AS status_after,
  b.master_id AS master_id_before,
  a.master_id AS master_id_after,
  b.exportable AS exportable_before,
  a.exportable AS exportable_after,
  CASE WHEN a.track_id IS NULL THEN coalesce(g.why, 'no longer in its cell''s manifest') ELSE a.why END AS why
FROM before AS b
FULL JOIN after AS a ON a.track_id = b.track_id
LEFT JOIN gone AS g ON g.track_id = b.track_id
WHERE (a.status, a.master_id, a.exportable) IS DISTINCT FROM (b.status, b.master_id, b.exportable);
