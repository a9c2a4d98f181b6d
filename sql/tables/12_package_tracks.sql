-- What the packages contain.
CREATE TABLE package_tracks (
  venue      VARCHAR NOT NULL,
  package_id VARCHAR NOT NULL,
  track_id   VARCHAR USING COMPRESSION uncompressed NOT NULL
);
COMMENT ON TABLE package_tracks IS 'The tracks in every package built before this release.';
COMMENT ON COLUMN package_tracks.venue IS 'the customer''s place';
COMMENT ON COLUMN package_tracks.package_id IS 'the package';
COMMENT ON COLUMN package_tracks.track_id IS 'a track in it';

INSERT INTO package_tracks BY NAME
SELECT * FROM stage.package_tracks
ORDER BY venue, package_id, track_id;
