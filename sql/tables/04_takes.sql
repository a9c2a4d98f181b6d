-- Every take of every cell's manifest with what was measured of it. Takes that are planned and not yet made are not
-- here: cells.planned_takes counts them. The fingerprint stays in the store: SQL cannot compare it.
CREATE TABLE takes (
  take_id                  VARCHAR USING COMPRESSION uncompressed NOT NULL,
  prompt_id                VARCHAR NOT NULL,
  cell                     VARCHAR NOT NULL,
  zone                     VARCHAR NOT NULL,
  genre                    VARCHAR NOT NULL,
  daypart                  VARCHAR NOT NULL,
  mood                     VARCHAR NOT NULL,
  take_index               BIGINT NOT NULL,
  plan_id                  VARCHAR NOT NULL,
  status                   VARCHAR NOT NULL,
  failure_class            VARCHAR,
  failure_message          VARCHAR,
  attempts                 BIGINT NOT NULL,
  engine                   VARCHAR NOT NULL,
  preview                  BOOLEAN NOT NULL,
  requested_model          VARCHAR NOT NULL,
  reported_model           VARCHAR,
  lm_model                 VARCHAR,
  adapter                  VARCHAR,
  requested_seed           BIGINT NOT NULL,
  reported_seed            VARCHAR USING COMPRESSION uncompressed,
  seed_trusted             BOOLEAN,
  requested_duration_s     DOUBLE NOT NULL,
  duration_s               DOUBLE,
  duration_clamped         BOOLEAN,
  sample_rate_hz           BIGINT,
  channels                 BIGINT,
  audio_sha256             VARCHAR USING COMPRESSION uncompressed,
  audio_bytes              BIGINT,
  server                   VARCHAR,
  gpu                      VARCHAR,
  server_s                 DOUBLE,
  queue_s                  DOUBLE,
  cost_usd                 DOUBLE,
  generated_at             TIMESTAMPTZ,
  integrated_loudness_lufs DOUBLE,
  loudness_range_lu        DOUBLE,
  momentary_max_lufs       DOUBLE,
  short_term_max_lufs      DOUBLE,
  true_peak_dbtp           DOUBLE,
  requested_bpm            BIGINT,
  measured_bpm             DOUBLE,
  tempo_match              DOUBLE,
  requested_key            VARCHAR,
  measured_key             VARCHAR,
  key_match                VARCHAR,
  stereo_correlation       DOUBLE,
  mono_loss_db             DOUBLE,
  bandwidth_hz             DOUBLE,
  repetition               DOUBLE,
  gate_failures            VARCHAR[],
  fit_failures             VARCHAR[],
  signal_score             DOUBLE,
  score_basis              VARCHAR,
  score_version            VARCHAR,
  audiobox_cu              DOUBLE,
  audiobox_pq              DOUBLE,
  text_alignment           DOUBLE,
  duplicate_of             VARCHAR,
  fate                     VARCHAR,
  why                      VARCHAR,
  scored_at                TIMESTAMPTZ,
  in_plan                  BOOLEAN NOT NULL,
  track_id                 VARCHAR USING COMPRESSION uncompressed
);
COMMENT ON TABLE takes IS 'Every take that was made or tried, with what was measured of it and what became of it: requested beside measured.';
COMMENT ON COLUMN takes.take_id IS 'its take';
COMMENT ON COLUMN takes.prompt_id IS 'its prompt';
COMMENT ON COLUMN takes.cell IS 'its cell';
COMMENT ON COLUMN takes.zone IS 'kind of place: lobby, retail, spa';
COMMENT ON COLUMN takes.genre IS 'genre slug';
COMMENT ON COLUMN takes.daypart IS 'part of the day: morning, midday, afternoon, evening, night ...';
COMMENT ON COLUMN takes.mood IS 'mood slug';
COMMENT ON COLUMN takes.take_index IS '0-based variation index within its prompt';
COMMENT ON COLUMN takes.plan_id IS 'the plan that the cell''s run pinned';
COMMENT ON COLUMN takes.status IS 'stored, pruned (failed a gate, audio deleted), or failed';
COMMENT ON COLUMN takes.failure_class IS 'kind of failure where status is failed';
COMMENT ON COLUMN takes.failure_message IS 'what happened and what to do, one line';
COMMENT ON COLUMN takes.attempts IS 'submissions made for it in all';
COMMENT ON COLUMN takes.engine IS 'ace-step, or preview';
COMMENT ON COLUMN takes.preview IS 'made by the embedded preview engine: never deliverable';
COMMENT ON COLUMN takes.requested_model IS 'DiT model asked for';
COMMENT ON COLUMN takes.reported_model IS 'DiT model that the server says it used';
COMMENT ON COLUMN takes.lm_model IS 'language model that the server says it used';
COMMENT ON COLUMN takes.adapter IS 'LoRA adapter asked for';
COMMENT ON COLUMN takes.requested_seed IS 'seed asked for';
COMMENT ON COLUMN takes.reported_seed IS 'seed that the server reports';
COMMENT ON COLUMN takes.seed_trusted IS 'whether the server was seen to honour seeds; NULL where that was not tested';
COMMENT ON COLUMN takes.requested_duration_s IS 'length asked for, seconds';
COMMENT ON COLUMN takes.duration_s IS 'length of the file, seconds';
COMMENT ON COLUMN takes.duration_clamped IS 'the server delivered less than was asked';
COMMENT ON COLUMN takes.sample_rate_hz IS 'sample rate of the file';
COMMENT ON COLUMN takes.channels IS 'channels of the file';
COMMENT ON COLUMN takes.audio_sha256 IS 'hash of the stored FLAC';
COMMENT ON COLUMN takes.audio_bytes IS 'size of the stored FLAC';
COMMENT ON COLUMN takes.server IS 'name of the server that made it';
COMMENT ON COLUMN takes.gpu IS 'GPU of that server, where known';
COMMENT ON COLUMN takes.server_s IS 'seconds on the server, from start to finish as seen by polling';
COMMENT ON COLUMN takes.queue_s IS 'seconds between submission and start as seen by polling';
COMMENT ON COLUMN takes.cost_usd IS 'what its GPU seconds cost at the server''s declared price; NULL where no price is known';
COMMENT ON COLUMN takes.generated_at IS 'when it was stored';
COMMENT ON COLUMN takes.integrated_loudness_lufs IS 'integrated loudness (ITU-R BS.1770), LUFS';
COMMENT ON COLUMN takes.loudness_range_lu IS 'loudness range (EBU Tech 3342), LU';
COMMENT ON COLUMN takes.momentary_max_lufs IS 'highest momentary loudness, LUFS';
COMMENT ON COLUMN takes.short_term_max_lufs IS 'highest short-term loudness, LUFS';
COMMENT ON COLUMN takes.true_peak_dbtp IS 'true peak, dBTP';
COMMENT ON COLUMN takes.requested_bpm IS 'tempo asked for';
COMMENT ON COLUMN takes.measured_bpm IS 'tempo estimated, beats per minute';
COMMENT ON COLUMN takes.tempo_match IS '0 to 1: how strongly the requested tempo is the pulse, octaves allowed';
COMMENT ON COLUMN takes.requested_key IS 'key asked for';
COMMENT ON COLUMN takes.measured_key IS 'key estimated';
COMMENT ON COLUMN takes.key_match IS 'exact, relative, fifth, parallel or none';
COMMENT ON COLUMN takes.stereo_correlation IS '-1 to 1: correlation of left and right';
COMMENT ON COLUMN takes.mono_loss_db IS 'level lost when summed to mono, dB';
COMMENT ON COLUMN takes.bandwidth_hz IS 'frequency below which nearly all energy lies, Hz';
COMMENT ON COLUMN takes.repetition IS '0 to 1: how much of the music comes back';
COMMENT ON COLUMN takes.gate_failures IS 'technical defects; any rejects the take anywhere';
COMMENT ON COLUMN takes.fit_failures IS 'breaches of the zone''s policy; any rejects the take for this zone';
COMMENT ON COLUMN takes.signal_score IS '0 to 100 from measured signal properties; NULL where a gate failed before measuring';
COMMENT ON COLUMN takes.score_basis IS 'what the score is built from: signal_only';
COMMENT ON COLUMN takes.score_version IS 'version of the score''s weights and references';
COMMENT ON COLUMN takes.audiobox_cu IS 'Audiobox content usefulness; NULL until a scorer is configured';
COMMENT ON COLUMN takes.audiobox_pq IS 'Audiobox production quality; NULL until a scorer is configured';
COMMENT ON COLUMN takes.text_alignment IS 'CLAP similarity of audio and caption; NULL until a scorer is configured';
COMMENT ON COLUMN takes.duplicate_of IS 'take that this one is a near-duplicate of';
COMMENT ON COLUMN takes.fate IS 'kept, runner_up, rejected, duplicate, retired or superseded';
COMMENT ON COLUMN takes.why IS 'why, in words';
COMMENT ON COLUMN takes.scored_at IS 'when it was measured';
COMMENT ON COLUMN takes.in_plan IS 'the current plan still wants the take';
COMMENT ON COLUMN takes.track_id IS 'the track made of it; NULL unless it was mastered';

INSERT INTO takes BY NAME
SELECT
  t.*,
  split_part(t.cell, '.', 1) AS zone,
  split_part(t.cell, '.', 2) AS genre,
  split_part(t.cell, '.', 3) AS daypart,
  split_part(t.cell, '.', 4) AS mood,
  s.* EXCLUDE (take_id, prompt_id, cell, take_index, duration_s, requested_duration_s, fingerprint),
  p.take_id IS NOT NULL AS in_plan,
  m.track_id
FROM stage.takes AS t
LEFT JOIN stage.take_scores AS s ON s.take_id = t.take_id AND s.cell = t.cell
LEFT JOIN (SELECT take_id FROM stage.planned_takes) AS p ON p.take_id = t.take_id
LEFT JOIN (SELECT take_id, track_id FROM stage.masters) AS m ON m.take_id = t.take_id;
