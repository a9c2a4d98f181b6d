"""What a test needs from the system, said where it is skipped, and no excuse where everything was promised.

`needs("ffmpeg")` marks a test that cannot run without a program. On a developer's machine without it the test is skipped
and says why; where `ACE_REQUIRE_ALL=1` is set (CI), it fails instead, so that nothing is skipped unnoticed.
"""

from __future__ import annotations

import os
import shutil

import pytest


def needs(program: str) -> pytest.MarkDecorator:
    """Return a mark that skips a test without the program; with ACE_REQUIRE_ALL=1 it lets the test run and fail."""
    missing = shutil.which(program) is None and os.environ.get("ACE_REQUIRE_ALL") != "1"
    return pytest.mark.skipif(missing, reason=f"{program} is not installed here")
