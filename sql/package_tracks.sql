-- The rows that packages are made of: PackageTrack in ace_assets/packages/rows.py names the same columns in the same order.
-- A track whose cell is held back comes along marked, so that a package can refuse it by name instead of not knowing it.
SELECT
  track_id, master_id, take_id, prompt_id, cell, zone, genre, daypart, mood, energy, title, caption,
  instrumental, vocal_language,
  requested_bpm, measured_bpm, requested_key, measured_key, requested_duration_s, duration_s,
  integrated_loudness_lufs, loudness_range_lu, true_peak_dbtp, ceiling_dbtp,
  cue_in_s, intro_end_s, outro_start_s, cue_out_s,
  CAST(NULL AS BLOB) AS waveform,
  signal_score, gate_failures, fit_failures, lint_warnings, duplicate_of,
  brand_include, brand_exclude, status,
  exportable OR coalesce(starts_with(why_not_exportable, 'its cell is held back'), false) AS exportable,
  coalesce(preview, true) AS preview,
  coalesce(starts_with(why_not_exportable, 'its cell is held back'), false) AS quarantined,
  engine, model, model_weights_licence, rights_status, lm_model, adapter,
  requested_seed, reported_seed, seed_trusted, profile,
  flac_sha256, mp3_sha256, mastering_version, generated_at, mastered_at
FROM tracks
ORDER BY track_id
