-- What every run of a cell did and what it cost.
CREATE TABLE runs (
  run_id        VARCHAR NOT NULL,
  cell          VARCHAR NOT NULL,
  plan_id       VARCHAR NOT NULL,
  campaign      VARCHAR NOT NULL,
  started_at    TIMESTAMPTZ NOT NULL,
  ended_at      TIMESTAMPTZ NOT NULL,
  takes_planned BIGINT NOT NULL,
  takes_stored  BIGINT NOT NULL,
  takes_reused  BIGINT NOT NULL,
  takes_failed  BIGINT NOT NULL,
  submissions   BIGINT NOT NULL,
  server_s      DOUBLE,
  cost_usd      DOUBLE
);
COMMENT ON TABLE runs IS 'One row per run of a cell: what it did and what it cost.';
COMMENT ON COLUMN runs.run_id IS 'Dagster''s run id, or the command''s own';
COMMENT ON COLUMN runs.cell IS 'the cell';
COMMENT ON COLUMN runs.plan_id IS 'the plan that was pinned';
COMMENT ON COLUMN runs.campaign IS 'the plan''s campaign';
COMMENT ON COLUMN runs.started_at IS 'when generation started';
COMMENT ON COLUMN runs.ended_at IS 'when generation ended';
COMMENT ON COLUMN runs.takes_planned IS 'takes that the plan wants of the cell';
COMMENT ON COLUMN runs.takes_stored IS 'takes stored by this run';
COMMENT ON COLUMN runs.takes_reused IS 'takes that were already there';
COMMENT ON COLUMN runs.takes_failed IS 'takes that could not be made';
COMMENT ON COLUMN runs.submissions IS 'jobs submitted';
COMMENT ON COLUMN runs.server_s IS 'GPU seconds used, as seen by polling';
COMMENT ON COLUMN runs.cost_usd IS 'their cost at the servers'' declared prices; NULL where no price is known';

INSERT INTO runs BY NAME
SELECT * FROM stage.runs
ORDER BY started_at, run_id, cell;
