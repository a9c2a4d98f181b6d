-- What was promised, to hold measurements against. Both come from gpu/prices.toml, where each has its day and source.
CREATE TABLE claims (
  topic   VARCHAR NOT NULL,
  subject VARCHAR NOT NULL,
  low     DOUBLE,
  high    DOUBLE NOT NULL,
  unit    VARCHAR NOT NULL,
  source  VARCHAR NOT NULL
);
COMMENT ON TABLE claims IS 'Claimed speeds and market prices that measurements are held against. Never mixed with measurements.';
COMMENT ON COLUMN claims.topic IS 'take_seconds or track_price';
COMMENT ON COLUMN claims.subject IS 'the GPU, or the provider';
COMMENT ON COLUMN claims.low IS 'lower end of the claim; NULL where only a bound was given';
COMMENT ON COLUMN claims.high IS 'upper end of the claim, or the claim itself';
COMMENT ON COLUMN claims.unit IS 's per take, or USD per track';
COMMENT ON COLUMN claims.source IS 'where the claim was read';

INSERT INTO claims BY NAME
SELECT * FROM stage.claims
ORDER BY topic, subject;
