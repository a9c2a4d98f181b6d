"""How the fleet behaves: depth, attempts, waits and limits."""

from __future__ import annotations

from dataclasses import dataclass

from ace_assets.acestep.watch import DETECTORS, Detector


@dataclass(frozen=True)
class FleetSettings:
    """How the fleet behaves. Times are seconds.

    Attributes:
        depth: most jobs that one server holds, over all runs.
        max_attempts: failures after which a take is given up.
        poll_min_s, poll_max_s: bounds of the pause between polls before a server's pace is known.
        backlog: finished takes per server that wait to be fetched before it gets no new jobs.
        downloads: transfers at a time, over all servers.
        download_tries, download_limit_s: for one take.
        gone_after_s, start_attempts: see `circuit.Circuit`.
        revive_s: how often a server that is gone is asked whether it is back.
        deadline_floor_s, deadline_factor: a job is lost when nothing moves for the floor or the factor times what its
            server should have needed for everything it holds, whichever is longer.
        deadline_unmeasured_s: the same, before a server finished its first job: it may still be loading its model.
        check_seeds: generate one clip twice on servers of which it is not known whether they honour seeds.
        slot_term_s: how long a silent holder keeps its slots.
        detectors: the rules by which a lost job is recognised.
    """

    depth: int = 3
    max_attempts: int = 6
    poll_min_s: float = 0.25
    poll_max_s: float = 5.0
    backlog: int = 6
    downloads: int = 8
    download_tries: int = 5
    download_limit_s: float = 180.0
    gone_after_s: float = 30.0
    start_attempts: int = 3
    revive_s: float = 10.0
    deadline_floor_s: float = 20.0
    deadline_factor: float = 8.0
    deadline_unmeasured_s: float = 600.0
    check_seeds: bool = True
    slot_term_s: float = 60.0
    detectors: tuple[Detector, ...] = DETECTORS
