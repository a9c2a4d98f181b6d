"""Samples to a file: FLAC, MP3 or WAV, 16 bit, as the real server writes them; in blocks, so that memory stays flat."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

import lameenc
import numpy as np
import numpy.typing as npt
import soundfile

CONTENT_TYPES = {"flac": "audio/flac", "mp3": "audio/mpeg", "wav": "audio/wav"}
_FLAC_COMPRESSION = 0.4
_MP3_KBPS = 128
_BLOCK_FRAMES = 1 << 18


def write_encoded(file: BinaryIO, samples: npt.NDArray[np.float32], sample_rate_hz: int, audio_format: str) -> None:
    """Write stereo samples to a file that can be read and sought.

    Args:
        file: where to write.
        samples: `(frames, 2)` float32; values beyond full scale are clipped.
        sample_rate_hz: sample rate.
        audio_format: "flac", "mp3" or "wav".
    """
    if audio_format == "mp3":
        encoder = lameenc.Encoder()
        encoder.set_bit_rate(_MP3_KBPS)
        encoder.set_in_sample_rate(sample_rate_hz)
        encoder.set_channels(2)
        encoder.set_quality(7)
        encoder.silence()
        for block in _blocks_of_16_bit(samples):
            file.write(encoder.encode(block.tobytes()))
        file.write(encoder.flush())
        return
    options = {"compression_level": _FLAC_COMPRESSION} if audio_format == "flac" else {}
    with soundfile.SoundFile(
        file, "w", sample_rate_hz, 2, format=audio_format.upper(), subtype="PCM_16", **options
    ) as sound:
        for block in _blocks_of_16_bit(samples):
            sound.write(block)


def _blocks_of_16_bit(samples: npt.NDArray[np.float32]) -> Iterator[npt.NDArray[np.int16]]:
    for start in range(0, len(samples), _BLOCK_FRAMES):
        block = samples[start : start + _BLOCK_FRAMES]
        yield np.clip(np.rint(block * np.float32(32767)), -32768, 32767).astype(np.int16)


def encode(samples: npt.NDArray[np.float32], sample_rate_hz: int, audio_format: str) -> bytes:
    """Return the bytes of a file, see `write_encoded`."""
    buffer = io.BytesIO()
    write_encoded(buffer, samples, sample_rate_hz, audio_format)
    return buffer.getvalue()


def write_float_wav(file: BinaryIO, samples: npt.NDArray[np.float32], sample_rate_hz: int) -> None:
    """Write a 32-bit float WAV, the one format here that can hold values that are not numbers."""
    soundfile.write(file, samples, sample_rate_hz, format="WAV", subtype="FLOAT")
