"""What decides when something runs: partitions, jobs, the refresh, its schedule and sensors, recovery."""
