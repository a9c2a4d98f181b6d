"""Master a file that a person has: names and suffixes in, what was done as plain values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ace_assets.audio.codecs import Audio
from ace_assets.errors import MasteringError
from ace_assets.mastering.master import master
from ace_assets.mastering.settings import MasteringSettings

SUFFIXES = {".flac": "flac", ".mp3": "mp3", ".wav": "wav"}


def master_file(source: Path, audio: Audio, outputs: Sequence[Path], settings: MasteringSettings) -> dict[str, Any]:
    """Master `audio`, decoded from `source`, into files whose suffix says their format; `audio` is lost.

    Raises:
        MasteringError: a suffix is not known, a format is asked for twice, or an output is the source.
        AudioError: the audio cannot be mastered.
    """
    by_format: dict[str, Path] = {}
    for path in outputs:
        audio_format = SUFFIXES.get(path.suffix.lower())
        if audio_format is None:
            raise MasteringError(
                str(path), value=path.suffix or "no suffix", expected=", ".join(SUFFIXES), remedy="rename the output"
            )
        if audio_format in by_format:
            raise MasteringError(
                str(path), value=audio_format, expected="one file of a format", remedy="master once more for the second"
            )
        if path.exists() and path.samefile(source):
            raise MasteringError(str(path), value="the input", expected="another file", remedy="name another output")
        if not path.absolute().parent.is_dir():
            raise MasteringError(str(path), value="no such folder", expected="a folder that exists", remedy="make it")
        by_format[audio_format] = path
    report = master(audio, by_format, settings, overwrite=True)
    facts = asdict(report)
    renditions = facts.pop("renditions")
    return {
        "path": str(source),
        **facts,
        "target_lufs": settings.target_lufs,
        "ceiling_dbtp": settings.ceiling_dbtp,
        "files": [{**facts_, "path": str(facts_["path"])} for facts_ in renditions.values()],
    }
