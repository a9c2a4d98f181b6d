"""Dagster's daemon, looking for backfills every second instead of every 30: `python -m tests.automation.quick_daemon`."""

from __future__ import annotations

import sys

from dagster._daemon import backfill
from dagster._daemon.cli import run_command

if __name__ == "__main__":
    backfill.DEFAULT_DAEMON_INTERVAL_SECONDS = 1
    run_command(sys.argv[1:])
