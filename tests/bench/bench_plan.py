"""How much CPU a matrix takes to become a plan, against hashing the same takes. Prints ratios, decides nothing."""

from __future__ import annotations

import hashlib
import resource
import time
from dataclasses import replace

from ace_assets import matrix
from ace_assets.matrix.changes import plan_changes
from ace_assets.matrix.rows import Matrix


def main() -> None:
    """Plan the shipped full catalog and one of 100,000 tracks."""
    start = time.process_time()
    shipped, _ = matrix.check_matrix()
    assert shipped is not None
    print(f"read and lint 432 rows, CPU: {time.process_time() - start:.2f} s")
    settings = matrix.load_campaigns()
    campaign, profile = settings.campaign("full_catalog"), settings.profile("production")
    for tracks in (15_000, 100_000):
        share = tracks / 15_000
        rows = Matrix(tuple(replace(row, target_tracks=round(row.target_tracks * share)) for row in shipped.rows))
        start = time.process_time()
        plan = matrix.make_plan(rows, campaign=campaign, profile=profile, engine="ace-step")
        took = time.process_time() - start
        texts = plan.planned_takes["request_json"].to_list()
        start = time.process_time()
        for text in texts:
            hashlib.sha256(text.encode()).hexdigest()
        bare = time.process_time() - start
        start = time.process_time()
        plan_changes(plan, plan)
        compared = time.process_time() - start
        memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{plan.facts['tracks']:,} tracks, {plan.facts['takes']:,} takes: planned in {took:.2f} s of CPU,"
            f" {took / bare:.0f} x the bare hashes of its requests; compared in {compared:.2f} s;"
            f" peak {memory_mb:.0f} MB"
        )


if __name__ == "__main__":
    main()
