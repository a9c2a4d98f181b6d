"""A downloaded file is decoded before it is believed.

What is checked is the server's contract: a known format, 48 kHz, stereo, finite samples, as many of them as the file
says it has. Whether the music is any good is scoring's business. Memory stays flat: files are decoded in blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

from ace_assets.errors import AudioError

SAMPLE_RATE_HZ = 48_000
CHANNELS = 2
BLOCK_FRAMES = 2 * SAMPLE_RATE_HZ
SHORTEST_S = 1.0
FLOAT_SUBTYPES = frozenset({"FLOAT", "DOUBLE"})


@dataclass(frozen=True)
class AudioFacts:
    """What a decoded file turned out to be."""

    audio_format: str
    sample_rate_hz: int
    channels: int
    frames: int
    size_bytes: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate_hz


def sniffed_format(head: bytes) -> str | None:
    """Return flac, wav or mp3 by a file's first bytes, whatever its name or content type say; None for anything else.

    >>> sniffed_format(b"fLaC...."), sniffed_format(b"<html>")
    ('flac', None)
    """
    if head.startswith(b"fLaC"):
        return "flac"
    if head[:4] in {b"RIFF", b"RF64"} and head[8:12] == b"WAVE":
        return "wav"
    if head.startswith(b"ID3") or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2):
        return "mp3"
    return None


def checked_audio(path: Path, *, thing: str) -> AudioFacts:
    """Decode a whole file and return what it is.

    Args:
        path: the file.
        thing: what it is the audio of, for the error.

    Raises:
        AudioError: not audio, cut short, not 48 kHz stereo, not finite, or shorter than a second.
    """
    with path.open("rb") as file:
        head = file.read(12)
    size_bytes = path.stat().st_size
    audio_format = sniffed_format(head)
    if audio_format is None:
        raise _bad(thing, repr(head[:8]), "FLAC, WAV or MP3")
    if audio_format == "wav":
        declared = int.from_bytes(head[4:8], "little")
        if head[:4] == b"RIFF" and declared not in {0, 0xFFFFFFFF} and size_bytes < declared + 8:
            raise _bad(thing, f"{size_bytes} bytes", f"{declared + 8} bytes as its header says")
    try:
        with sf.SoundFile(path) as audio:
            frames, rate, channels, subtype = audio.frames, audio.samplerate, audio.channels, audio.subtype
            if rate != SAMPLE_RATE_HZ or channels != CHANNELS:
                raise _bad(thing, f"{rate} Hz, {channels} channels", "48000 Hz stereo")
            decoded = _decode(audio, floating=subtype in FLOAT_SUBTYPES, thing=thing)
    except sf.SoundFileError as error:
        raise _bad(thing, str(error), "audio that decodes to its end") from error
    if decoded < frames:
        raise _bad(thing, f"{decoded} of {frames} frames", "a complete file")
    if decoded < SHORTEST_S * SAMPLE_RATE_HZ:
        raise _bad(thing, f"{decoded} frames", "at least one second of audio")
    return AudioFacts(audio_format, rate, channels, decoded, size_bytes)


def _decode(audio: sf.SoundFile, *, floating: bool, thing: str) -> int:
    block = np.empty((BLOCK_FRAMES, CHANNELS), dtype=np.float32 if floating else np.int16)
    decoded = 0
    while len(got := audio.read(BLOCK_FRAMES, out=block)):
        decoded += len(got)
        if floating and not np.isfinite(got).all():
            raise _bad(thing, "NaN or infinity", "finite samples")
    return decoded


def as_flac(path: Path, facts: AudioFacts, *, thing: str) -> tuple[Path, AudioFacts]:
    """Return the audio as FLAC, the store's format: WAV is packed without loss, FLAC stays as it is.

    Raises:
        AudioError: it is lossy already.
    """
    if facts.audio_format == "flac":
        return path, facts
    if facts.audio_format != "wav":
        raise _bad(thing, facts.audio_format, "FLAC or WAV, as asked for")
    target = path.with_suffix(".packed.flac")
    with sf.SoundFile(path) as source:
        subtype = "PCM_16" if source.subtype == "PCM_16" else "PCM_24"
        with sf.SoundFile(target, "w", SAMPLE_RATE_HZ, CHANNELS, subtype, format="FLAC") as sink:
            while len(block := source.read(BLOCK_FRAMES, dtype="float64", always_2d=True)):
                sink.write(block)
    packed = AudioFacts("flac", facts.sample_rate_hz, facts.channels, facts.frames, target.stat().st_size)
    return target, packed


def _bad(thing: str, value: str, expected: str) -> AudioError:
    return AudioError(thing, value=value, expected=expected, remedy="the take is made again")
