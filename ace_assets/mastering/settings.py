"""What a zone may ask of mastering."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ace_assets.audio.renditions import parse_rendition
from ace_assets.errors import ConfigError

_RANGES = {
    "target_lufs": (-40.0, -6.0),
    "ceiling_dbtp": (-12.0, 0.0),
    "max_limiting_db": (0.0, 12.0),
    "head_silence_s": (0.0, 10.0),
    "tail_silence_s": (0.0, 30.0),
    "tail_fade_s": (0.0, 30.0),
    "codec_headroom_db": (0.0, 3.0),
}


@dataclass(frozen=True, kw_only=True)
class MasteringSettings:
    """How a take is mastered; every value can change the sound and is part of a master's identity.

    Attributes:
        target_lufs: integrated loudness of the result. No background-music service publishes one; see AUDIO.md.
        ceiling_dbtp: highest true peak of every file after decoding.
        max_limiting_db: how far the limiter may turn peaks down; beyond it the gain is lowered instead.
        head_silence_s: how much silence stays before the first sound; more is trimmed.
        tail_silence_s: how much silence stays after the last sound; more is trimmed.
        tail_fade_s: length of the fade for takes that do not end by themselves.
        codec_headroom_db: how far below the ceiling the samples stay, for what MP3 adds to peaks.
        bit_depth: of FLAC and WAV, 16 or 24.
        formats: renditions by name: `flac`, `wav`, `mp3` (320 kb/s), `mp3-192`.

    Raises:
        ConfigError: for a value that makes no sense.
    """

    target_lufs: float = -16.0
    ceiling_dbtp: float = -1.0
    max_limiting_db: float = 3.0
    head_silence_s: float = 0.3
    tail_silence_s: float = 1.0
    tail_fade_s: float = 2.0
    codec_headroom_db: float = 0.2
    bit_depth: int = 16
    formats: tuple[str, ...] = ("flac", "mp3")

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:  # NaN is in no range
                raise ConfigError(
                    f"mastering setting {name}", value=value, expected=f"{low} to {high}", remedy="change it"
                )
        if self.bit_depth not in {16, 24}:
            raise ConfigError(
                "mastering setting bit_depth", value=self.bit_depth, expected="16 or 24", remedy="change it"
            )
        if not self.formats:
            raise ConfigError(
                "mastering setting formats", value="()", expected="at least one format", remedy="name one"
            )
        for name in self.formats:
            parse_rendition(name)

    def canonical(self) -> dict[str, object]:
        """Return what differs from the defaults, as plain values with sorted keys, for hashing into a master's id."""
        different = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default
        }
        return {name: list(value) if isinstance(value, tuple) else value for name, value in sorted(different.items())}
