"""Small disks of a test's own: memory that fills up, or turns read-only, when the test says so."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path


class Disk:
    """A mounted memory disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def remount(self, options: str) -> None:
        """Change its size or whether it can be written."""
        _run("mount", "-o", f"remount,{options}", str(self.folder))


def may_mount() -> bool:
    """Say whether this process may mount a memory disk."""
    if os.geteuid() != 0:
        return False
    folder = Path(f"/tmp/ace-mount-{os.getpid()}")
    folder.mkdir(exist_ok=True)
    try:
        with disk(folder, "size=64k"):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False
    finally:
        folder.rmdir()


@contextlib.contextmanager
def disk(folder: Path, options: str) -> Iterator[Disk]:
    """Mount a memory disk on a folder for the length of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", options, "ace-test", str(folder))
    try:
        yield Disk(folder)
    finally:
        _run("umount", "--lazy", str(folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
