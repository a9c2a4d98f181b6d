-- Seconds per take, measured and claimed.
SELECT gpu, engine, requested_model, takes, mean_take_s, takes_per_server_h, claimed_low_s, claimed_high_s
FROM ask_throughput
