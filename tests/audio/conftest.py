"""Music that several files of tests judge: rendering costs far more than listening, so it is rendered once a session."""

from __future__ import annotations

import dataclasses
import fcntl
import os

import numpy as np
import pytest

from tests.music import judge

NUMBERS, SECONDS = range(500, 512), 24.0


@pytest.fixture(scope="session")
def previews(tmp_path_factory: pytest.TempPathFactory) -> list[judge.Sample]:
    """Return a dozen pieces of the embedded engine; whichever process of the session comes first renders each."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # which the processes of one session share
    clips = []
    for number in NUMBERS:
        path = folder / f"preview-{number}.npy"
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                np.save(path, next(judge.previewed([number], SECONDS)).samples)
        clips.append(dataclasses.replace(judge.preview_named(number), samples=np.load(path)))
    return clips
