-- Cost of a kept track by zone and genre, and Mureka's price.
SELECT zone, genre, takes, unpriced_takes, kept_tracks, spend_usd, usd_per_kept_track, mureka_usd_per_track
FROM ask_cost_per_kept_track
