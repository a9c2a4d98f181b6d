-- Every mastered take, whatever its status; the views tracks and former_tracks divide it. A retirement in the log holds
-- at once, before the cell's manifest says so. The waveform stays in the store: it is a picture, not a fact.
CREATE TABLE all_tracks (
  track_id                 VARCHAR USING COMPRESSION uncompressed NOT NULL,
  master_id                VARCHAR USING COMPRESSION uncompressed NOT NULL,
  take_id                  VARCHAR USING COMPRESSION uncompressed NOT NULL,
  prompt_id                VARCHAR USING COMPRESSION uncompressed NOT NULL,
  cell                     VARCHAR NOT NULL,
  zone                     VARCHAR NOT NULL,
  genre                    VARCHAR NOT NULL,
  daypart                  VARCHAR NOT NULL,
  mood                     VARCHAR NOT NULL,
  energy                   BIGINT,
  style_tier               VARCHAR,
  brand_include            VARCHAR[],
  brand_exclude            VARCHAR[],
  status                   VARCHAR NOT NULL,
  title                    VARCHAR USING COMPRESSION fsst NOT NULL,
  exportable               BOOLEAN NOT NULL,
  deliverable              BOOLEAN NOT NULL,
  why_not_exportable       VARCHAR,
  forbidden_reason         VARCHAR,
  status_reason            VARCHAR,
  preview                  BOOLEAN,
  engine                   VARCHAR,
  model                    VARCHAR,
  model_weights_licence    VARCHAR,
  rights_status            VARCHAR NOT NULL,
  adapter                  VARCHAR,
  lm_model                 VARCHAR,
  profile                  VARCHAR,
  caption                  VARCHAR USING COMPRESSION fsst,
  lyrics                   VARCHAR,
  vocal_language           VARCHAR,
  instrumental             BOOLEAN,
  instruments              VARCHAR[],
  texture                  VARCHAR,
  lint_warnings            VARCHAR[],
  time_signature           VARCHAR,
  take_index               BIGINT,
  prompt_index             BIGINT,
  requested_bpm            BIGINT,
  measured_bpm             DOUBLE,
  tempo_match              DOUBLE,
  requested_key            VARCHAR,
  measured_key             VARCHAR,
  key_match                VARCHAR,
  requested_duration_s     DOUBLE,
  target_lufs              DOUBLE NOT NULL,
  ceiling_dbtp             DOUBLE NOT NULL,
  integrated_loudness_lufs DOUBLE NOT NULL,
  loudness_range_lu        DOUBLE,
  true_peak_dbtp           DOUBLE NOT NULL,
  second_meter_lufs        DOUBLE,
  gain_db                  DOUBLE NOT NULL,
  limiter_max_reduction_db DOUBLE NOT NULL,
  loudness_shortfall_lu    DOUBLE NOT NULL,
  duration_s               DOUBLE NOT NULL,
  cue_in_s                 DOUBLE,
  intro_end_s              DOUBLE,
  outro_start_s            DOUBLE,
  cue_out_s                DOUBLE,
  flac_sha256              VARCHAR USING COMPRESSION uncompressed NOT NULL,
  flac_bytes               BIGINT NOT NULL,
  mp3_sha256               VARCHAR USING COMPRESSION uncompressed,
  mp3_bytes                BIGINT,
  mastering_version        VARCHAR NOT NULL,
  mastered_at              TIMESTAMPTZ NOT NULL,
  gate_failures            VARCHAR[],
  fit_failures             VARCHAR[],
  signal_score             DOUBLE,
  score_basis              VARCHAR,
  score_version            VARCHAR,
  audiobox_cu              DOUBLE,
  audiobox_pq              DOUBLE,
  text_alignment           DOUBLE,
  repetition               DOUBLE,
  stereo_correlation       DOUBLE,
  mono_loss_db             DOUBLE,
  bandwidth_hz             DOUBLE,
  duplicate_of             VARCHAR,
  why                      VARCHAR,
  requested_seed           BIGINT,
  reported_seed            VARCHAR USING COMPRESSION uncompressed,
  seed_trusted             BOOLEAN,
  server                   VARCHAR,
  gpu                      VARCHAR,
  server_s                 DOUBLE,
  cost_usd                 DOUBLE,
  generated_at             TIMESTAMPTZ,
  kept_at                  TIMESTAMPTZ
);
COMMENT ON TABLE all_tracks IS 'Every track that ever was, former ones included. Ask tracks for those that are kept.';
COMMENT ON COLUMN all_tracks.track_id IS 'stable id of the track: ACE- and ten Crockford base-32 characters of its take id';
COMMENT ON COLUMN all_tracks.master_id IS 'hash of take, mastering settings and mastering version';
COMMENT ON COLUMN all_tracks.take_id IS 'the kept take';
COMMENT ON COLUMN all_tracks.prompt_id IS 'its prompt';
COMMENT ON COLUMN all_tracks.cell IS 'its cell';
COMMENT ON COLUMN all_tracks.zone IS 'kind of place: lobby, retail, spa';
COMMENT ON COLUMN all_tracks.genre IS 'genre slug';
COMMENT ON COLUMN all_tracks.daypart IS 'part of the day: morning, midday, afternoon, evening, night ...';
COMMENT ON COLUMN all_tracks.mood IS 'mood slug';
COMMENT ON COLUMN all_tracks.energy IS '1 (calm) to 5 (driving)';
COMMENT ON COLUMN all_tracks.style_tier IS 'common or niche: how well the model knows the style';
COMMENT ON COLUMN all_tracks.brand_include IS 'brands that alone may play it; empty: any';
COMMENT ON COLUMN all_tracks.brand_exclude IS 'brands that may never play it';
COMMENT ON COLUMN all_tracks.status IS 'active, superseded (exportable until replaced), replaced or retired';
COMMENT ON COLUMN all_tracks.title IS 'title';
COMMENT ON COLUMN all_tracks.exportable IS 'it may be exported: it passed its gates, its audio is there, nothing forbids it, its cell is not held back';
COMMENT ON COLUMN all_tracks.deliverable IS 'it may go to a venue: exportable, and not made by the preview engine';
COMMENT ON COLUMN all_tracks.why_not_exportable IS 'the first reason against exporting it; NULL where it is exportable';
COMMENT ON COLUMN all_tracks.forbidden_reason IS 'what now forbids it, e.g. a never-list; NULL where nothing does';
COMMENT ON COLUMN all_tracks.status_reason IS 'why it is superseded, replaced or retired, in words';
COMMENT ON COLUMN all_tracks.preview IS 'made by the embedded preview engine: never deliverable; NULL where its take is not known any more';
COMMENT ON COLUMN all_tracks.engine IS 'ace-step, or preview';
COMMENT ON COLUMN all_tracks.model IS 'DiT model that made it: the one that the server reports, else the one asked for';
COMMENT ON COLUMN all_tracks.model_weights_licence IS 'licence of the model''s weights; NULL where unknown';
COMMENT ON COLUMN all_tracks.rights_status IS 'known, unknown, or preview (not for delivery)';
COMMENT ON COLUMN all_tracks.adapter IS 'LoRA adapter asked for';
COMMENT ON COLUMN all_tracks.lm_model IS 'language model that the server says it used';
COMMENT ON COLUMN all_tracks.profile IS 'name of the profile';
COMMENT ON COLUMN all_tracks.caption IS 'what the model is asked to play';
COMMENT ON COLUMN all_tracks.lyrics IS 'lyrics tag, [Instrumental] or sections';
COMMENT ON COLUMN all_tracks.vocal_language IS 'ISO code, or unknown for instrumental music';
COMMENT ON COLUMN all_tracks.instrumental IS 'no sung words wanted';
COMMENT ON COLUMN all_tracks.instruments IS 'instruments named in the caption';
COMMENT ON COLUMN all_tracks.texture IS 'texture word of the caption';
COMMENT ON COLUMN all_tracks.lint_warnings IS 'warnings of the matrix lint that ride along, RULE: text';
COMMENT ON COLUMN all_tracks.time_signature IS '2, 3, 4 or 6, as the server wants it';
COMMENT ON COLUMN all_tracks.take_index IS '0-based variation index within its prompt';
COMMENT ON COLUMN all_tracks.prompt_index IS '0-based number within its cell; the same in every campaign';
COMMENT ON COLUMN all_tracks.requested_bpm IS 'tempo asked for, beats per minute';
COMMENT ON COLUMN all_tracks.measured_bpm IS 'tempo estimated, beats per minute';
COMMENT ON COLUMN all_tracks.tempo_match IS '0 to 1: how strongly the requested tempo is the pulse, octaves allowed';
COMMENT ON COLUMN all_tracks.requested_key IS 'key asked for, e.g. A minor';
COMMENT ON COLUMN all_tracks.measured_key IS 'key estimated';
COMMENT ON COLUMN all_tracks.key_match IS 'exact, relative, fifth, parallel or none';
COMMENT ON COLUMN all_tracks.requested_duration_s IS 'length asked for, seconds';
COMMENT ON COLUMN all_tracks.target_lufs IS 'integrated loudness wanted, LUFS';
COMMENT ON COLUMN all_tracks.ceiling_dbtp IS 'highest true peak allowed, dBTP';
COMMENT ON COLUMN all_tracks.integrated_loudness_lufs IS 'integrated loudness of the decoded master, LUFS';
COMMENT ON COLUMN all_tracks.loudness_range_lu IS 'loudness range of the master, LU';
COMMENT ON COLUMN all_tracks.true_peak_dbtp IS 'highest true peak over all decoded renditions, dBTP';
COMMENT ON COLUMN all_tracks.second_meter_lufs IS 'integrated loudness by the independent meter, LUFS';
COMMENT ON COLUMN all_tracks.gain_db IS 'gain applied, dB';
COMMENT ON COLUMN all_tracks.limiter_max_reduction_db IS 'most that the limiter took off, dB';
COMMENT ON COLUMN all_tracks.loudness_shortfall_lu IS 'how far below target it stays because peaks bind, LU';
COMMENT ON COLUMN all_tracks.duration_s IS 'length of the master, seconds';
COMMENT ON COLUMN all_tracks.cue_in_s IS 'where the sound starts, seconds';
COMMENT ON COLUMN all_tracks.intro_end_s IS 'where the intro ends, seconds';
COMMENT ON COLUMN all_tracks.outro_start_s IS 'where the outro starts, seconds';
COMMENT ON COLUMN all_tracks.cue_out_s IS 'where a mix may leave, seconds';
COMMENT ON COLUMN all_tracks.flac_sha256 IS 'hash of the FLAC master';
COMMENT ON COLUMN all_tracks.flac_bytes IS 'size of the FLAC master';
COMMENT ON COLUMN all_tracks.mp3_sha256 IS 'hash of the MP3 320 rendition';
COMMENT ON COLUMN all_tracks.mp3_bytes IS 'size of the MP3 rendition';
COMMENT ON COLUMN all_tracks.mastering_version IS 'version of the mastering code';
COMMENT ON COLUMN all_tracks.mastered_at IS 'when it was mastered';
COMMENT ON COLUMN all_tracks.gate_failures IS 'technical defects; any rejects the take anywhere';
COMMENT ON COLUMN all_tracks.fit_failures IS 'breaches of the zone''s policy; any rejects the take for this zone';
COMMENT ON COLUMN all_tracks.signal_score IS '0 to 100 from measured signal properties; NULL where a gate failed before measuring';
COMMENT ON COLUMN all_tracks.score_basis IS 'what the score is built from: signal_only';
COMMENT ON COLUMN all_tracks.score_version IS 'version of the score''s weights and references';
COMMENT ON COLUMN all_tracks.audiobox_cu IS 'Audiobox content usefulness; NULL until a scorer is configured';
COMMENT ON COLUMN all_tracks.audiobox_pq IS 'Audiobox production quality; NULL until a scorer is configured';
COMMENT ON COLUMN all_tracks.text_alignment IS 'CLAP similarity of audio and caption; NULL until a scorer is configured';
COMMENT ON COLUMN all_tracks.repetition IS '0 to 1: how much of the music comes back';
COMMENT ON COLUMN all_tracks.stereo_correlation IS '-1 to 1: correlation of left and right';
COMMENT ON COLUMN all_tracks.mono_loss_db IS 'level lost when summed to mono, dB';
COMMENT ON COLUMN all_tracks.bandwidth_hz IS 'frequency below which nearly all energy lies, Hz';
COMMENT ON COLUMN all_tracks.duplicate_of IS 'take that this one is a near-duplicate of';
COMMENT ON COLUMN all_tracks.why IS 'why, in words';
COMMENT ON COLUMN all_tracks.requested_seed IS 'seed asked for';
COMMENT ON COLUMN all_tracks.reported_seed IS 'seed that the server reports';
COMMENT ON COLUMN all_tracks.seed_trusted IS 'whether the server was seen to honour seeds; NULL where that was not tested';
COMMENT ON COLUMN all_tracks.server IS 'name of the server that made it';
COMMENT ON COLUMN all_tracks.gpu IS 'GPU of that server, where known';
COMMENT ON COLUMN all_tracks.server_s IS 'seconds on the server, from start to finish as seen by polling';
COMMENT ON COLUMN all_tracks.cost_usd IS 'what its GPU seconds cost at the server''s declared price; NULL where no price is known';
COMMENT ON COLUMN all_tracks.generated_at IS 'when it was stored';
COMMENT ON COLUMN all_tracks.kept_at IS 'when it was first kept';

INSERT INTO all_tracks BY NAME
WITH last_change AS (
  SELECT
    track_id,
    max_by(kind, (happened_at, event_id)) AS kind,
    max_by(coalesce(reason, ''), (happened_at, event_id)) AS reason,
    max_by(coalesce(details_json, ''), (happened_at, event_id)) AS details_json
  FROM events
  WHERE kind IN ('kept', 'superseded', 'replaced', 'retired', 'restored', 'remastered')
  GROUP BY track_id
),
first_kept AS (
  SELECT track_id, min(happened_at) AS kept_at FROM events WHERE kind = 'kept' GROUP BY track_id
),
missing_audio AS (
  SELECT DISTINCT thing AS track_id FROM quarantine WHERE finding IN ('missing_audio', 'damaged_audio')
),
facts AS (
  SELECT
    m.* EXCLUDE (status),
    split_part(m.cell, '.', 1) AS zone,
    split_part(m.cell, '.', 2) AS genre,
    split_part(m.cell, '.', 3) AS daypart,
    split_part(m.cell, '.', 4) AS mood,
    c.energy,
    c.style_tier,
    c.brand_include,
    c.brand_exclude,
    CASE
      WHEN l.kind IN ('superseded', 'replaced', 'retired') THEN l.kind
      WHEN l.kind = 'restored' AND m.status = 'retired' THEN 'active'
      ELSE m.status
    END AS status,
    CASE WHEN l.kind IN ('superseded', 'replaced', 'retired') THEN nullif(l.reason, '') END AS status_reason,
    CASE
      WHEN l.kind = 'superseded' AND json_valid(l.details_json) THEN json_extract_string(l.details_json, '$.forbidden')
    END AS forbidden_reason,
    t.preview,
    t.engine,
    coalesce(t.reported_model, t.requested_model) AS model,
    w.licence AS model_weights_licence,
    CASE
      WHEN t.preview THEN 'preview'
      WHEN w.commercial_use AND t.adapter IS NULL THEN 'known'
      ELSE 'unknown'
    END AS rights_status,
    t.adapter,
    t.lm_model,
    p.profile,
    p.caption,
    p.lyrics,
    p.vocal_language,
    p.instrumental,
    p.instruments,
    p.texture,
    p.lint_warnings,
    p.time_signature,
    t.take_index,
    p.prompt_index,
    p.requested_bpm,
    t.measured_bpm,
    t.tempo_match,
    p.requested_key,
    t.measured_key,
    t.key_match,
    p.requested_duration_s,
    t.gate_failures,
    t.fit_failures,
    t.signal_score,
    t.score_basis,
    t.score_version,
    t.audiobox_cu,
    t.audiobox_pq,
    t.text_alignment,
    t.repetition,
    t.stereo_correlation,
    t.mono_loss_db,
    t.bandwidth_hz,
    t.duplicate_of,
    t.why,
    t.requested_seed,
    t.reported_seed,
    t.seed_trusted,
    t.server,
    t.gpu,
    t.server_s,
    t.cost_usd,
    t.generated_at,
    k.kept_at,
    a.track_id IS NOT NULL AS audio_missing,
    c.held_back,
    c.held_back_reason
  FROM stage.masters AS m
  LEFT JOIN cells AS c ON c.cell = m.cell
  LEFT JOIN (SELECT * FROM takes WHERE track_id IS NOT NULL) AS t ON t.take_id = m.take_id
  LEFT JOIN prompts AS p ON p.prompt_id = m.prompt_id
  LEFT JOIN models AS w ON w.model = coalesce(t.reported_model, t.requested_model)
  LEFT JOIN last_change AS l ON l.track_id = m.track_id
  LEFT JOIN first_kept AS k ON k.track_id = m.track_id
  LEFT JOIN missing_audio AS a ON a.track_id = m.track_id
),
judged AS (
  SELECT
    *,
    CASE
      WHEN status NOT IN ('active', 'superseded') THEN status
      WHEN audio_missing THEN 'its audio is missing or damaged'
      WHEN held_back THEN 'its cell is held back: ' || held_back_reason
      WHEN forbidden_reason IS NOT NULL THEN 'forbidden: ' || forbidden_reason
      WHEN len(gate_failures) > 0 THEN 'failed a gate: ' || array_to_string(gate_failures, ', ')
      WHEN len(fit_failures) > 0 THEN 'breaks the zone''s policy: ' || array_to_string(fit_failures, ', ')
      WHEN gate_failures IS NULL AND status = 'active' THEN 'its scores are not stored'
    END AS why_not_exportable
  FROM facts
)
SELECT
  * EXCLUDE (audio_missing, held_back, held_back_reason),
  why_not_exportable IS NULL AS exportable,
  why_not_exportable IS NULL AND coalesce(NOT preview, false) AS deliverable
FROM judged;
