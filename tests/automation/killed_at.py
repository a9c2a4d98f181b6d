"""Run one cell in this process and `kill -9` it at the n-th event of a kind: `killed_at KIND N DELAY_S CELL`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from ace_assets import progress
from ace_assets.commands.local import execute
from tests.automation.deployment import CELL_ASSETS


def main() -> None:
    kind, count, delay_s, cell = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    seen = 0

    def listen(event: progress.Progress) -> None:
        nonlocal seen
        seen += event.kind == kind
        if seen == count:
            threading.Timer(delay_s, os.kill, (os.getpid(), signal.SIGKILL)).start()
            if not delay_s:
                time.sleep(60)

    with progress.listening(listen):
        outcome = execute(CELL_ASSETS, partition=cell)
    print(f"{cell} came to its end: {outcome}")


if __name__ == "__main__":
    main()
