-- What could not be trusted when this release was built. Filled from the builder's findings.
CREATE TABLE quarantine (
  finding   VARCHAR NOT NULL,
  cell      VARCHAR,
  thing     VARCHAR NOT NULL,
  problem   VARCHAR NOT NULL,
  remedy    VARCHAR NOT NULL,
  held_back BOOLEAN NOT NULL
);
COMMENT ON TABLE quarantine IS 'What could not be trusted: damaged or contradictory artefacts, each with what to do. Their cells are held back; the rest of the release is sound.';
COMMENT ON COLUMN quarantine.finding IS 'kind of fault: corrupt_manifest, newer_schema, foreign_rows, claimed_twice, missing_audio, damaged_audio, broken_rows, corrupt_log';
COMMENT ON COLUMN quarantine.cell IS 'the cell held back; NULL where the fault belongs to no cell';
COMMENT ON COLUMN quarantine.thing IS 'the file, take or track at fault';
COMMENT ON COLUMN quarantine.problem IS 'what is wrong, in words';
COMMENT ON COLUMN quarantine.remedy IS 'what to do next';
COMMENT ON COLUMN quarantine.held_back IS 'the cell''s tracks are not exportable until this is mended';

INSERT INTO quarantine BY NAME
SELECT finding, cell, thing, problem, remedy, held_back
FROM stage.findings
ORDER BY cell, finding, thing;
