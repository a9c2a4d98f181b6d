-- The packages that were there when this release was built; those of the same night come with the next release.
CREATE TABLE packages (
  venue       VARCHAR NOT NULL,
  package_id  VARCHAR NOT NULL,
  built_at    TIMESTAMPTZ,
  release_id  VARCHAR,
  tracks      BIGINT NOT NULL,
  deliverable BOOLEAN,
  is_current  BOOLEAN NOT NULL
);
COMMENT ON TABLE packages IS 'Packages built before this release, one row per venue and package.';
COMMENT ON COLUMN packages.venue IS 'the customer''s place';
COMMENT ON COLUMN packages.package_id IS 'hash of the package''s content';
COMMENT ON COLUMN packages.built_at IS 'when it was built; NULL where its manifest does not say';
COMMENT ON COLUMN packages.release_id IS 'the release that it was built from; NULL where its manifest does not say';
COMMENT ON COLUMN packages.tracks IS 'tracks in it';
COMMENT ON COLUMN packages.deliverable IS 'it may go to the venue; NULL where its manifest does not say';
COMMENT ON COLUMN packages.is_current IS 'the venue''s latest package';

INSERT INTO packages BY NAME
SELECT * FROM stage.packages
ORDER BY venue, built_at, package_id;
