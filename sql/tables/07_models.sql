-- What is known of the rights in a model's output. A model that is not listed has unknown rights.
CREATE TABLE models (
  model          VARCHAR NOT NULL,
  provider       VARCHAR NOT NULL,
  licence        VARCHAR NOT NULL,
  commercial_use BOOLEAN NOT NULL,
  source         VARCHAR NOT NULL
);
COMMENT ON TABLE models IS 'The rights in what a model makes, as far as known; a model that is not listed has unknown rights.';
COMMENT ON COLUMN models.model IS 'name of the model''s weights, as the profile declares it';
COMMENT ON COLUMN models.provider IS 'who publishes the model';
COMMENT ON COLUMN models.licence IS 'licence of the weights';
COMMENT ON COLUMN models.commercial_use IS 'the licence allows playing the output in a shop';
COMMENT ON COLUMN models.source IS 'where this was read';

INSERT INTO models BY NAME
SELECT
  unnest([
    'acestep-v15-turbo', 'acestep-v15-turbo-shift1', 'acestep-v15-turbo-shift3', 'acestep-v15-turbo-continuous',
    'acestep-v15-sft', 'acestep-v15-base'
  ]) AS model,
  'ACE-Step' AS provider,
  'MIT' AS licence,
  true AS commercial_use,
  'the customer''s research document of 2026-02-07' AS source;
