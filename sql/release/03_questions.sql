-- The analysts' questions: the files of sql/queries, one row each.
CREATE TABLE questions (
  number     BIGINT NOT NULL,
  name       VARCHAR NOT NULL,
  purpose    VARCHAR NOT NULL,
  parameters VARCHAR,
  sql        VARCHAR NOT NULL
);
COMMENT ON TABLE questions IS 'The analysts'' questions. Each is a view of the same name after ask_, and takes parameters in `ace-assets ask`.';
COMMENT ON COLUMN questions.number IS 'its number in the mission';
COMMENT ON COLUMN questions.name IS 'its name: ask_<name> is the view with the defaults';
COMMENT ON COLUMN questions.purpose IS 'what it answers, in a line';
COMMENT ON COLUMN questions.parameters IS 'its parameters with their defaults';
COMMENT ON COLUMN questions.sql IS 'the query with $parameters';

INSERT INTO questions BY NAME
SELECT * FROM stage.questions
ORDER BY number;
