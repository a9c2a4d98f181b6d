-- Where to begin. Filled from the comments of everything else, so that it cannot say something else.
CREATE TABLE help (
  kind    VARCHAR NOT NULL,
  name    VARCHAR NOT NULL,
  meaning VARCHAR NOT NULL,
  try     VARCHAR
);
COMMENT ON TABLE help IS 'Where to begin: every table and view, every column, every question, with its meaning.';
COMMENT ON COLUMN help.kind IS 'table, view, column or question';
COMMENT ON COLUMN help.name IS 'its name, table.column for a column';
COMMENT ON COLUMN help.meaning IS 'what it is, in a line';
COMMENT ON COLUMN help.try IS 'something to type';

-- Its rows are written after the views exist: sql/help/.
