"""Music that nobody here made: the soundtracks of games that Debian packages, as .ci/apt-music.txt names them.

They are installed by whoever runs the tests (`xargs -a .ci/apt-music.txt apt-get install --no-install-recommends`) and decoded
where they lie. Finished soundtracks are not without fault: what has one is named in `KNOWN_FLAWS` with its measurement.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

LIST = Path(__file__).parents[2] / ".ci" / "apt-music.txt"
SUFFIXES = {".ogg", ".mp3", ".opus", ".flac", ".wav"}
SMALLEST_BYTES = 250_000  # shorter files are effects and jingles
EXCERPT_S = 32.0


@cache
def packages() -> tuple[str, ...]:
    """Return the packages that the corpus is made of."""
    return tuple(LIST.read_text(encoding="utf-8").split())


@cache
def pieces() -> tuple[Path, ...]:
    """Return the installed pieces of music, each once, in a stable order."""
    if shutil.which("dpkg-query") is None:
        return ()
    listed = subprocess.run(["dpkg-query", "-L", *packages()], capture_output=True, text=True, check=False).stdout
    found = {}
    for line in listed.splitlines():
        path = Path(line)
        if path.suffix.lower() in SUFFIXES and path.is_file() and path.stat().st_size >= SMALLEST_BYTES:
            found[path.resolve()] = path
    return tuple(sorted(found))


def name_of(path: Path) -> str:
    """Return a name that is the same wherever packages are installed: the last two parts of the path."""
    return "/".join(path.parts[-2:])


def required_pieces(least: int) -> tuple[Path, ...]:
    """Return the pieces, or skip the test and say why; with ACE_REQUIRE_ALL=1 their absence is a failure."""
    found = pieces()
    if len(found) < least:
        reason = f"{len(found)} pieces of game music are installed, {least} wanted: install the packages of .ci/apt-music.txt"
        if os.environ.get("ACE_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def excerpt(path: Path, seed: int, seconds: float = EXCERPT_S) -> tuple[NDArray[np.float32], int]:
    """Return a passage of a piece, faded in and out as an editor would, and its rate.

    A loop has no ending of its own, so whole pieces would be full of true abrupt endings.
    """
    rng = np.random.default_rng([seed, *path.name.encode()])
    info = soundfile.info(path)
    frames = min(info.frames, int(seconds * info.samplerate))
    first = int(rng.uniform(0.0, 0.8) * max(0, info.frames - frames))
    samples, rate = soundfile.read(path, start=first, frames=frames, dtype="float32", always_2d=True)
    samples = samples.copy()
    fade_in, fade_out = int(rng.uniform(0.02, 1.5) * rate), int(rng.uniform(1.0, 4.0) * rate)
    samples[:fade_in] *= np.linspace(0, 1, fade_in, dtype=np.float32)[:, None]
    shape = float(rng.choice([1.0, 1.5, 2.0]))
    samples[-fade_out:] *= (np.linspace(1, 0, fade_out) ** shape).astype(np.float32)[:, None]
    return samples, rate
