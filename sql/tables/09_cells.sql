-- The cells of the current plan and every other cell that still has artefacts.
CREATE TABLE cells (
  cell              VARCHAR NOT NULL,
  zone              VARCHAR NOT NULL,
  genre             VARCHAR NOT NULL,
  daypart           VARCHAR NOT NULL,
  mood              VARCHAR NOT NULL,
  energy            BIGINT,
  style_tier        VARCHAR,
  matrix_row        BIGINT,
  target_tracks     BIGINT,
  planned_prompts   BIGINT,
  planned_tracks    BIGINT,
  tracks_per_prompt BIGINT,
  takes_per_prompt  BIGINT,
  takes_limit       BIGINT,
  target_lufs       DOUBLE,
  ceiling_dbtp      DOUBLE,
  brand_include     VARCHAR[],
  brand_exclude     VARCHAR[],
  in_plan           BOOLEAN NOT NULL,
  planned_takes     BIGINT NOT NULL,
  held_back         BOOLEAN NOT NULL,
  held_back_reason  VARCHAR
);
COMMENT ON TABLE cells IS 'The cells: rows of the genre matrix in the current plan, and cells that left it but still have tracks.';
COMMENT ON COLUMN cells.cell IS 'partition key: zone.genre.daypart.mood';
COMMENT ON COLUMN cells.zone IS 'kind of place: lobby, retail, spa';
COMMENT ON COLUMN cells.genre IS 'genre slug';
COMMENT ON COLUMN cells.daypart IS 'part of the day: morning, midday, afternoon, evening, night ...';
COMMENT ON COLUMN cells.mood IS 'mood slug';
COMMENT ON COLUMN cells.energy IS '1 (calm) to 5 (driving)';
COMMENT ON COLUMN cells.style_tier IS 'common or niche: how well the model knows the style';
COMMENT ON COLUMN cells.matrix_row IS 'row of genre_matrix.csv, the header being row 1';
COMMENT ON COLUMN cells.target_tracks IS 'tracks that the full catalog wants of this cell';
COMMENT ON COLUMN cells.planned_prompts IS 'prompts planned by the campaign';
COMMENT ON COLUMN cells.planned_tracks IS 'tracks that the campaign wants: planned prompts x tracks per prompt';
COMMENT ON COLUMN cells.tracks_per_prompt IS 'tracks kept per prompt';
COMMENT ON COLUMN cells.takes_per_prompt IS 'takes first planned per prompt';
COMMENT ON COLUMN cells.takes_limit IS 'most takes ever made for one prompt';
COMMENT ON COLUMN cells.target_lufs IS 'integrated loudness wanted of the masters, LUFS';
COMMENT ON COLUMN cells.ceiling_dbtp IS 'highest true peak allowed in the masters, dBTP';
COMMENT ON COLUMN cells.brand_include IS 'brands that alone may play it; empty: any';
COMMENT ON COLUMN cells.brand_exclude IS 'brands that may never play it';
COMMENT ON COLUMN cells.in_plan IS 'the current plan holds the cell';
COMMENT ON COLUMN cells.planned_takes IS 'takes that the current plan wants of the cell, top-ups included';
COMMENT ON COLUMN cells.held_back IS 'something of the cell is in quarantine: its tracks are not exportable';
COMMENT ON COLUMN cells.held_back_reason IS 'what is in quarantine, in words';

INSERT INTO cells BY NAME
WITH known AS (
  SELECT cell FROM stage.cells
  UNION
  SELECT cell FROM stage.stored_cells
),
planned AS (
  SELECT cell, count(*) AS planned_takes FROM stage.planned_takes GROUP BY cell
),
held AS (
  SELECT cell, string_agg(DISTINCT problem, '; ' ORDER BY problem) AS held_back_reason
  FROM quarantine
  WHERE held_back AND cell IS NOT NULL
  GROUP BY cell
)
SELECT
  c.* EXCLUDE (cell, zone, genre, daypart, mood, matrix_prompt_ids),
  k.cell,
  split_part(k.cell, '.', 1) AS zone,
  split_part(k.cell, '.', 2) AS genre,
  split_part(k.cell, '.', 3) AS daypart,
  split_part(k.cell, '.', 4) AS mood,
  c.cell IS NOT NULL AS in_plan,
  coalesce(p.planned_takes, 0) AS planned_takes,
  h.cell IS NOT NULL AS held_back,
  h.held_back_reason
FROM known AS k
LEFT JOIN stage.cells AS c ON c.cell = k.cell
LEFT JOIN planned AS p ON p.cell = k.cell
LEFT JOIN held AS h ON h.cell = k.cell
ORDER BY k.cell;
