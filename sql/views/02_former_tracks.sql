-- former_tracks: tracks that left, retired or replaced. Their rows stay, so that a venue's old package can be explained.
CREATE VIEW former_tracks AS
SELECT * FROM all_tracks WHERE status NOT IN ('active', 'superseded');
COMMENT ON VIEW former_tracks IS 'Tracks that left: retired, or replaced by those of a new prompt, each with the reason. They are never exported.';
