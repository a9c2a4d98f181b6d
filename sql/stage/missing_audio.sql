-- Masters whose files are not there, or are not as long as their manifest says. Former tracks need no audio.
WITH former AS (
  SELECT track_id
  FROM stage.events
  WHERE kind IN ('kept', 'superseded', 'replaced', 'retired', 'restored', 'remastered')
  GROUP BY track_id
  HAVING max_by(kind, (happened_at, event_id)) IN ('replaced', 'retired')
),
wanted AS (
  SELECT cell, track_id, master_id, 'flac' AS format, flac_bytes AS bytes FROM stage.masters WHERE status IN ('active', 'superseded')
  UNION ALL
  SELECT cell, track_id, master_id, 'mp3' AS format, mp3_bytes AS bytes
  FROM stage.masters
  WHERE status IN ('active', 'superseded') AND mp3_sha256 IS NOT NULL
)
SELECT
  CASE WHEN f.master_id IS NULL THEN 'missing_audio' ELSE 'damaged_audio' END AS finding,
  w.cell,
  w.track_id AS thing,
  CASE
    WHEN f.master_id IS NULL THEN 'the ' || w.format || ' of master ' || w.master_id || ' is missing'
    ELSE 'the ' || w.format || ' of master ' || w.master_id || ' has ' || f.bytes || ' bytes, its manifest says ' || w.bytes
  END AS problem,
  'restore the file from a backup, or delete the cell''s masters.parquet and rerun its partition: it is mastered again'
    AS remedy
FROM wanted AS w
ANTI JOIN former AS r ON r.track_id = w.track_id
LEFT JOIN stage.master_files AS f ON f.master_id = w.master_id AND f.format = w.format
WHERE f.master_id IS NULL OR f.bytes <> w.bytes
ORDER BY w.cell, w.track_id, w.format;
