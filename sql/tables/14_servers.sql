-- The servers that made takes, as the takes tell.
CREATE TABLE servers (
  server               VARCHAR NOT NULL,
  gpu                  VARCHAR,
  engine               VARCHAR NOT NULL,
  takes                BIGINT NOT NULL,
  server_s             DOUBLE,
  mean_take_s          DOUBLE,
  music_s_per_server_s DOUBLE,
  cost_usd             DOUBLE,
  first_take_at        TIMESTAMPTZ,
  last_take_at         TIMESTAMPTZ
);
COMMENT ON TABLE servers IS 'The servers that made takes: how many, how fast, at what cost.';
COMMENT ON COLUMN servers.server IS 'name of the server';
COMMENT ON COLUMN servers.gpu IS 'GPU of that server, the one of its latest take';
COMMENT ON COLUMN servers.engine IS 'ace-step, or preview';
COMMENT ON COLUMN servers.takes IS 'takes that it made';
COMMENT ON COLUMN servers.server_s IS 'GPU seconds used, as seen by polling';
COMMENT ON COLUMN servers.mean_take_s IS 'mean seconds on the server per take';
COMMENT ON COLUMN servers.music_s_per_server_s IS 'seconds of music made per second on the server';
COMMENT ON COLUMN servers.cost_usd IS 'what its takes cost; NULL where no price is known';
COMMENT ON COLUMN servers.first_take_at IS 'its first take still in a manifest';
COMMENT ON COLUMN servers.last_take_at IS 'its latest take';

INSERT INTO servers BY NAME
SELECT
  server,
  max_by(gpu, generated_at) AS gpu,
  engine,
  count(*) AS takes,
  sum(server_s) AS server_s,
  avg(server_s) AS mean_take_s,
  sum(duration_s) FILTER (server_s IS NOT NULL) / nullif(sum(server_s) FILTER (duration_s IS NOT NULL), 0)
    AS music_s_per_server_s,
  sum(cost_usd) AS cost_usd,
  min(generated_at) AS first_take_at,
  max(generated_at) AS last_take_at
FROM takes
WHERE server IS NOT NULL AND status IN ('stored', 'pruned')
GROUP BY server, engine
ORDER BY server, engine;
