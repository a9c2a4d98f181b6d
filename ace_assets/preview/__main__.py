"""`python -m ace_assets.preview`: the preview server as a process; its address is the first line of its output."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ace_assets.errors import AceAssetsError
from ace_assets.preview.faults import describe_faults
from ace_assets.preview.server import DEFAULT_HOST, DEFAULT_PORT, MOST_AUDIO_BYTES, serve


def main() -> int:
    """Read the arguments, serve, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m ace_assets.preview", description=__doc__)
    parser.add_argument("--host", default=DEFAULT_HOST)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free port")
    parser.add_argument("--faults", default="", metavar="SPEC", help="for example service_s=2,drop=0.02,seed=7")
    parser.add_argument("--list-faults", action="store_true", help="print every fault with its meaning and leave")
    parser.add_argument("--folder", type=Path, default=None, help="keep audio and the disk cache there")
    parser.add_argument("--remove-folder", action="store_true", help="remove the folder at the end")
    parser.add_argument("--most-audio-bytes", type=int, default=MOST_AUDIO_BYTES)
    parser.add_argument("--end-with-parent", type=int, default=0, metavar="PID", help="end when this process is gone")
    options = parser.parse_args()
    if options.list_faults:
        print(describe_faults())  # noqa: T201
        return 0
    parent = options.end_with_parent

    def parent_is_gone() -> bool:
        return bool(parent) and os.getppid() != parent

    try:
        serve(
            options.host,
            options.port,
            options.faults,
            folder=options.folder,
            remove_folder=options.remove_folder,
            on_ready=lambda url: print(url, flush=True),  # noqa: T201
            should_stop=parent_is_gone,
            most_audio_bytes=options.most_audio_bytes,
        )
    except AceAssetsError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
