-- The prompts of the current plan, and older ones that takes or tracks still refer to.
CREATE TABLE prompts (
  prompt_id            VARCHAR USING COMPRESSION uncompressed NOT NULL,
  cell                 VARCHAR NOT NULL,
  prompt_index         BIGINT NOT NULL,
  zone                 VARCHAR NOT NULL,
  genre                VARCHAR NOT NULL,
  daypart              VARCHAR NOT NULL,
  mood                 VARCHAR NOT NULL,
  energy               BIGINT NOT NULL,
  title                VARCHAR USING COMPRESSION fsst NOT NULL,
  caption              VARCHAR USING COMPRESSION fsst NOT NULL,
  lyrics               VARCHAR NOT NULL,
  vocal_language       VARCHAR NOT NULL,
  instrumental         BOOLEAN NOT NULL,
  requested_bpm        BIGINT NOT NULL,
  requested_key        VARCHAR NOT NULL,
  time_signature       VARCHAR NOT NULL,
  requested_duration_s DOUBLE NOT NULL,
  instruments          VARCHAR[] NOT NULL,
  texture              VARCHAR NOT NULL,
  profile              VARCHAR NOT NULL,
  takes_planned        BIGINT NOT NULL,
  takes_limit          BIGINT NOT NULL,
  tracks_per_prompt    BIGINT NOT NULL,
  lint_warnings        VARCHAR[] NOT NULL,
  in_plan              BOOLEAN NOT NULL
);
COMMENT ON TABLE prompts IS 'The prompts: one concrete request of a cell each. Those that left the plan stay while a take or a track refers to them.';
COMMENT ON COLUMN prompts.prompt_id IS 'hash of everything that the prompt asks for';
COMMENT ON COLUMN prompts.cell IS 'the cell it belongs to';
COMMENT ON COLUMN prompts.prompt_index IS '0-based number within its cell; the same in every campaign';
COMMENT ON COLUMN prompts.zone IS 'kind of place';
COMMENT ON COLUMN prompts.genre IS 'genre slug';
COMMENT ON COLUMN prompts.daypart IS 'part of the day';
COMMENT ON COLUMN prompts.mood IS 'mood slug';
COMMENT ON COLUMN prompts.energy IS '1 (calm) to 5 (driving)';
COMMENT ON COLUMN prompts.title IS 'title of the tracks made from it, before the take''s suffix';
COMMENT ON COLUMN prompts.caption IS 'what the model is asked to play';
COMMENT ON COLUMN prompts.lyrics IS 'lyrics tag, [Instrumental] or sections';
COMMENT ON COLUMN prompts.vocal_language IS 'ISO code, or unknown for instrumental music';
COMMENT ON COLUMN prompts.instrumental IS 'no sung words wanted';
COMMENT ON COLUMN prompts.requested_bpm IS 'tempo asked for, beats per minute';
COMMENT ON COLUMN prompts.requested_key IS 'key asked for, e.g. A minor';
COMMENT ON COLUMN prompts.time_signature IS '2, 3, 4 or 6, as the server wants it';
COMMENT ON COLUMN prompts.requested_duration_s IS 'length asked for, seconds';
COMMENT ON COLUMN prompts.instruments IS 'instruments named in the caption';
COMMENT ON COLUMN prompts.texture IS 'texture word of the caption';
COMMENT ON COLUMN prompts.profile IS 'name of the profile';
COMMENT ON COLUMN prompts.takes_planned IS 'takes planned so far, top-ups included';
COMMENT ON COLUMN prompts.takes_limit IS 'most takes ever made for this prompt';
COMMENT ON COLUMN prompts.tracks_per_prompt IS 'tracks kept of it';
COMMENT ON COLUMN prompts.lint_warnings IS 'warnings of the matrix lint that ride along, RULE: text';
COMMENT ON COLUMN prompts.in_plan IS 'the current plan holds the prompt';

INSERT INTO prompts BY NAME
SELECT * FROM stage.prompts;
