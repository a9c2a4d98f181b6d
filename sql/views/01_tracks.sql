-- tracks: what an analyst counts. Those that left are in former_tracks, every state ever held in track_history.
CREATE VIEW tracks AS
SELECT * FROM all_tracks WHERE status IN ('active', 'superseded');
COMMENT ON VIEW tracks IS 'The kept tracks: active, and superseded ones that stay exportable until they are replaced. One row per track.';
