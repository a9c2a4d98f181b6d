-- Every release of the catalog, this one included. The rows of earlier ones are carried over by the builder.
CREATE TABLE releases (
  release_id          VARCHAR NOT NULL,
  built_at            TIMESTAMPTZ NOT NULL,
  reason              VARCHAR NOT NULL,
  previous_release_id VARCHAR,
  plan_id             VARCHAR,
  campaign            VARCHAR,
  tracks              BIGINT NOT NULL,
  exportable_tracks   BIGINT NOT NULL,
  takes               BIGINT NOT NULL,
  cells               BIGINT NOT NULL,
  held_back_cells     BIGINT NOT NULL,
  spend_usd           DOUBLE,
  content_id          VARCHAR NOT NULL,
  ace_assets_version  VARCHAR NOT NULL
);
COMMENT ON TABLE releases IS 'Every release of the catalog so far, this one last.';
COMMENT ON COLUMN releases.release_id IS 'id of the release; sorts by time';
COMMENT ON COLUMN releases.built_at IS 'when it was built';
COMMENT ON COLUMN releases.reason IS 'why it was built';
COMMENT ON COLUMN releases.previous_release_id IS 'the release before it';
COMMENT ON COLUMN releases.plan_id IS 'the plan that was current; NULL before the first';
COMMENT ON COLUMN releases.campaign IS 'that plan''s campaign';
COMMENT ON COLUMN releases.tracks IS 'kept tracks';
COMMENT ON COLUMN releases.exportable_tracks IS 'kept tracks that may be exported';
COMMENT ON COLUMN releases.takes IS 'takes made or tried';
COMMENT ON COLUMN releases.cells IS 'cells';
COMMENT ON COLUMN releases.held_back_cells IS 'cells held back by a quarantine';
COMMENT ON COLUMN releases.spend_usd IS 'cost of all runs; NULL where one has no price';
COMMENT ON COLUMN releases.content_id IS 'hash of the rows, whatever their order: equal content makes no new release';
COMMENT ON COLUMN releases.ace_assets_version IS 'version of the code that built it';

INSERT INTO releases BY NAME
SELECT
  r.*,
  (SELECT count(*) FROM all_tracks WHERE status IN ('active', 'superseded')) AS tracks,
  (SELECT count(*) FROM all_tracks WHERE exportable) AS exportable_tracks,
  (SELECT count(*) FROM takes) AS takes,
  (SELECT count(*) FROM cells) AS cells,
  (SELECT count(*) FROM cells WHERE held_back) AS held_back_cells,
  (SELECT CASE WHEN count(*) = count(cost_usd) THEN sum(cost_usd) END FROM runs) AS spend_usd
FROM stage.this_release AS r;
